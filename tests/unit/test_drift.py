"""Differences between the index and AWS's answer."""

import pytest

from jobindex.model.drift import JobFacts, execution_difference, job_difference
from jobindex.model.jobs import JobStatus
from jobindex.model.sync import Difference, DifferenceKind
from jobindex.model.views import ExecutionState

FACTS = JobFacts(
    JobStatus.IN_PROGRESS,
    is_status_reported=True,
    namespace_id="acme",
    created_at=1_795_448_800_125,
    completed_at=None,
    last_updated_at=1_795_448_860_000,
)
COMPLETED = FACTS._replace(
    status=JobStatus.COMPLETED, completed_at=1_795_448_900_000, last_updated_at=1_795_448_900_500
)


def difference(kind: DifferenceKind, was: str | None, now: str | None, thing_name: str | None = None) -> Difference:
    """Return a difference of job j1."""
    return Difference(kind=kind, job_id="j1", thing_name=thing_name, was=was, now=now)


@pytest.mark.parametrize("facts", [None, FACTS, FACTS._replace(is_status_reported=False)])
def test_an_unchanged_job_has_no_difference(facts: JobFacts | None) -> None:
    """Nor has one that is on neither side."""
    assert job_difference("j1", facts, facts) is None


def test_a_job_on_one_side_is_missing_or_deleted() -> None:
    """With the status on the other side."""
    assert difference(DifferenceKind.JOB_MISSING, None, "COMPLETED") == job_difference("j1", None, COMPLETED)
    assert difference(DifferenceKind.JOB_DELETED, "IN_PROGRESS", None) == job_difference("j1", FACTS, None)


@pytest.mark.parametrize("is_reported", [True, False])
def test_another_status_is_one_difference(*, is_reported: bool) -> None:
    """The details that changed with it, and whether it was inferred, do not matter."""
    expected = difference(DifferenceKind.JOB_STATUS, "IN_PROGRESS", "COMPLETED")
    was = FACTS._replace(is_status_reported=is_reported, namespace_id=None)
    assert expected == job_difference("j1", was, COMPLETED)


def test_details_name_what_differs() -> None:
    """Members in the order of the row, with `unknown` for one that was not known."""
    now = FACTS._replace(namespace_id="other", created_at=FACTS.created_at + 1)
    expected = difference(
        DifferenceKind.JOB_DETAILS,
        "namespaceId acme, createdAt 2026-11-23T15:46:40.125Z",
        "namespaceId other, createdAt 2026-11-23T15:46:40.126Z",
    )
    assert expected == job_difference("j1", FACTS, now)
    expected = difference(
        DifferenceKind.JOB_DETAILS,
        "completedAt unknown, lastUpdatedAt 2026-11-23T15:47:40.000Z",
        "completedAt 2026-11-23T15:48:20.000Z, lastUpdatedAt 2026-11-23T15:48:20.500Z",
    )
    assert expected == job_difference("j1", FACTS._replace(status=JobStatus.COMPLETED), COMPLETED)


def test_an_inferred_status_that_aws_confirms_is_no_difference() -> None:
    """Nor are its times, which were inferred, too; but no namespace is ever inferred."""
    was = COMPLETED._replace(is_status_reported=False, created_at=1, completed_at=2, last_updated_at=3)
    assert job_difference("j1", was, COMPLETED) is None
    expected = difference(DifferenceKind.JOB_DETAILS, "namespaceId unknown", "namespaceId acme")
    assert expected == job_difference("j1", was._replace(namespace_id=None), COMPLETED)


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (None, None, None),
        (ExecutionState.QUEUED, ExecutionState.QUEUED, None),
        (None, ExecutionState.QUEUED, DifferenceKind.EXECUTION_MISSING),
        (ExecutionState.QUEUED, None, DifferenceKind.EXECUTION_DELETED),
        (ExecutionState.QUEUED, ExecutionState.FAILED, DifferenceKind.EXECUTION_STATUS),
        (ExecutionState.ENDED, ExecutionState.FAILED, DifferenceKind.EXECUTION_STATUS),
    ],
)
def test_executions_differ_by_their_states(
    was: ExecutionState | None, now: ExecutionState | None, kind: DifferenceKind | None
) -> None:
    """ENDED, of which only a list reports the end, is another state than AWS's outcome."""
    expected = None if kind is None else difference(kind, was, now, "t1")
    assert expected == execution_difference("j1", "t1", was, now)
