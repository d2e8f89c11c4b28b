"""The members of listed jobs that AWS's JobSummary lacks, on every engine."""

from support.messages import at, event, execution_event, job, parsed

from jobindex.model.reports import RejectedMessage
from jobindex.model.store import Store
from jobindex.model.views import JobOutcome

NOW = at(1_700_000_000)


async def test_jobs_have_their_failures_and_whether_their_status_was_reported(store: Store) -> None:
    """A job has the greater of AWS's count of failures and the known one; hidden jobs have no outcome."""
    counts = {"numberOfFailedThings": 2, "numberOfRejectedThings": 1, "numberOfSucceededThings": 9}
    await store.apply(
        parsed(
            event("completed", "counted", timestamp=50, jobProcessDetails=counts),
            execution_event("failed", "counted", timestamp=40),
            job("known", "n1"),
            *(
                execution_event(operation, "known", thing=operation, timestamp=40)
                for operation in ("failed", "timed_out", "removed", "succeeded")
            ),
            job("other", "n2", status="CANCELED", lastUpdatedAt=10),
            job("gone", "n1", lastUpdatedAt=10),
            event("deleted", "gone", timestamp=60),
        ),
        (),
        now=NOW,
    )
    asked = ["counted", "known", "other", "gone", "never"]
    known = JobOutcome(is_status_reported=False, failures=2)
    assert {
        "counted": JobOutcome(is_status_reported=True, failures=3),
        "known": known,
        "other": JobOutcome(is_status_reported=True, failures=0),
    } == await store.job_outcomes(asked)
    assert {"known": known} == await store.visible_to(frozenset({"n1"})).job_outcomes(asked)


async def test_a_rejected_message_says_when_it_is_due(store: Store) -> None:
    """A rejected message has a due time, unless it can never be applied."""
    ahead = RejectedMessage("a", b"1", "in the future", due_at=1_700_000_123_456)
    await store.apply((), [ahead, RejectedMessage("b", b"2", "no JSON")], now=NOW)
    listed = await store.rejected_messages(after=0, limit=9)
    due_at = listed[0].due_at
    assert due_at is not None
    assert (1_700_000_123.456, None) == (due_at.timestamp(), listed[1].due_at)
    assert (ahead, due_at) == ((kept := await store.rejected_message(1)).message, kept.due_at)
