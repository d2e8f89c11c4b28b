"""Parts of the pages: times, sentences and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobindex.durations import lasting, written
from jobindex.errors import InvalidRequestException
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.views import ExecutionAttempt, ExecutionState, JobDescription
from jobindex.web.ui.marks import activity, bar, details, job_badge, tally
from jobindex.web.ui.page import Question
from jobindex.web.ui.times import parse_limit, relative
from jobindex.web.ui.words import count, label, reported_counts, status_reason

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "just now"),
        (1.9, "just now"),
        (2, "2 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (172_799, "47 h ago"),
        (172_800, "2 d ago"),
        (86400 * 1234, "1,234 d ago"),
        (-61, "in 1 min"),
    ],
)
def test_an_age_is_told_in_one_unit(seconds: float, expected: str) -> None:
    """An age is rounded down: 59 minutes are not yet an hour."""
    assert expected == relative(NOW - timedelta(seconds=seconds), NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("5s", 5),
        ("90m", 5400),
        ("10 min", 600),
        ("1.5h", 5400),
        ("6h", 21600),
        (" 2d ", 172_800),
        ("3650d", 315_360_000),
    ],
)
def test_a_duration_is_read_and_written(text: str, expected: int) -> None:
    """A duration is a number of seconds, or has a unit; its written form can be read back."""
    duration = parse_limit("longerThan", text)
    assert timedelta(seconds=expected) == duration == parse_limit("longerThan", written(expected))


@pytest.mark.parametrize("text", ["0", "0d", "-1", "0.4s", "1.5.5h", "1w", "", "3651d", "9999999999d", "h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The message contains the parameter's name and examples of durations."""
    with pytest.raises(InvalidRequestException, match=rf"Value '{text}' at 'longerThan' failed .* 90m, 6h or 2d"):
        parse_limit("longerThan", text)


def job(
    executions: Mapping[ExecutionState, int],
    *,
    status: JobStatus = JobStatus.IN_PROGRESS,
    selection: TargetSelection | None = None,
    groups: Sequence[str] = (),
    is_reported: bool = False,
    reported: Mapping[str, int] | None = None,
) -> JobDescription:
    """Return a job with few known facts."""
    return JobDescription(
        job_id="job",
        job_arn="arn",
        namespace_id=None,
        status=status,
        is_status_reported=is_reported,
        target_selection=selection,
        thing_group_ids=(),
        thing_group_names=groups,
        is_concurrent=None,
        created_at=NOW,
        is_created_at_reported=False,
        last_updated_at=NOW,
        completed_at=None,
        first_heard_at=NOW,
        executions=executions,
        reported_process_details=reported,
        description=None,
        targets=None,
        comment=None,
        reason_code=None,
        deployment_id=None,
        deployment_name=None,
        configuration_arn=None,
    )


ONE = {ExecutionState.SUCCEEDED: 1}
TWO = {ExecutionState.SUCCEEDED: 1, ExecutionState.ENDED: 1}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (job({}, is_reported=True), "A message reported this status."),
        (job({}), "Inferred: no message reported a status, and none reported an execution."),
        (
            job({**ONE, ExecutionState.QUEUED: 1}),
            "Inferred: no message reported a status, and 1 of 2 known executions has not ended.",
        ),
        (
            job({ExecutionState.IN_PROGRESS: 2000}),
            "Inferred: no message reported a status, and 2,000 of 2,000 known executions have not ended.",
        ),
        (
            job(ONE, status=JobStatus.COMPLETED, selection=TargetSelection.SNAPSHOT),
            (
                "Inferred: no message reported a status; the only known execution has ended, "
                "and a SNAPSHOT job is not sent to other things."
            ),
        ),
        (
            job(TWO, status=JobStatus.COMPLETED),
            (
                "Inferred: no message reported a status; all 2 known executions have ended, "
                "and neither its target selection nor a thing group is known."
            ),
        ),
        (
            job(TWO, selection=TargetSelection.CONTINUOUS),
            (
                "Inferred: no message reported a status; all 2 known executions have ended, "
                "but a CONTINUOUS job is also sent to things that join its targets later."
            ),
        ),
        (
            job(TWO, groups=["hall"]),
            (
                "Inferred: no message reported a status; all 2 known executions have ended, "
                "but the job has a thing group, whose rollout may continue."
            ),
        ),
        (
            job(TWO),
            (
                "Inferred: no message reported a status; all 2 known executions have ended, "
                "but job events were already enabled then, and none reports the job's completion."
            ),
        ),
    ],
)
def test_a_status_is_explained(told: JobDescription, expected: str) -> None:
    """A status was reported by a message, or is inferred from known facts."""
    assert expected == status_reason(told)


def test_a_completion_with_failures_has_its_own_colour_and_words() -> None:
    """The greater of AWS's count and the known count is shown; an inferred status has a hint."""
    failed = {ExecutionState.FAILED: 1, ExecutionState.REJECTED: 1, ExecutionState.SUCCEEDED: 3}
    assert [2, 5] == [job(failed, reported=counts).failures for counts in (None, {"numberOfFailedThings": 5})]
    drawn = job_badge(JobStatus.COMPLETED, 2, is_reported=True)
    assert '<span class="badge s-COMPLETED_WITH_FAILURES">Completed with 2 failures</span>' == drawn
    assert '<span class="badge s-COMPLETED">Completed</span>' == job_badge(JobStatus.COMPLETED, 0, is_reported=True)
    inferred = job_badge(JobStatus.IN_PROGRESS, 2, is_reported=False)
    assert '<span class="badge s-IN_PROGRESS">In progress</span> <span class="hint">inferred</span>' == inferred
    assert "2 failed, 1,000 timed out" == reported_counts(
        job({}, reported={"numberOfFailedThings": 2, "numberOfTimedOutThings": 1000, "numberOfQueuedThings": 0})
    )


def test_details_are_cut() -> None:
    """Long details are cut to a row, many to the first, and all are escaped."""
    attempt = ExecutionAttempt(
        state=ExecutionState.FAILED,
        queued_at=None,
        started_at=None,
        last_updated_at=None,
        execution_number=None,
        version_number=None,
        status_details={"a": "<b>", "b": "x" * 201, **{f"c{number}": "" for number in range(7)}},
        is_status_details_cut=True,
    )
    drawn = details(attempt)
    assert '<ul class="details"><li title="">a: &lt;b&gt;</li>' in drawn
    assert f'<li title="{"x" * 201}">b: {"x" * 200}…</li>' in drawn
    assert '<li class="hint">and 3 more</li><li class="hint">others were too long to store</li></ul>' in drawn
    assert "" == details(replace(attempt, status_details=None, is_status_details_cut=False))


def test_words_and_numbers() -> None:
    """Statuses are shown as words, and numbers with their nouns."""
    assert "Deletion in progress" == label(JobStatus.DELETION_IN_PROGRESS)
    assert ["1 job", "0 jobs", "1,000 jobs"] == [count(number, "job") for number in (1, 0, 1000)]
    assert "12 s" == lasting(12.9)


def test_a_bar_parts_into_states() -> None:
    """States have a fixed order, fill the width of the bar, and are listed in its label."""
    drawn = bar({ExecutionState.QUEUED: 1, ExecutionState.SUCCEEDED: 3, ExecutionState.FAILED: 0})
    assert 'aria-label="Executions: 3 succeeded, 1 queued"' in drawn
    assert '<rect class="s-SUCCEEDED" x="0.0" width="75.0" height="4"/><rect class="s-QUEUED" x="75.0"' in drawn
    assert "none" in tally({})


def test_activity_is_a_path() -> None:
    """Each hour with a change has a pillar of at least a visible height."""
    drawn = activity([0] * 22 + [1, 1000], "acme")
    assert 'aria-label="acme: 1,001 changes in 24 hours, 1,000 in the last hour"' in drawn
    assert 'd="M110 24v-2h4v2zM115 24v-24h4v24z"' in drawn
    assert 'd=""' in activity([0] * 24, "acme")


def test_an_address_keeps_what_was_asked_but_not_the_page() -> None:
    """A link changes one parameter; a position belongs to the list that it was made for."""
    question = Question(path="/ui/jobs", parameters=[("status", "A"), ("after", "x"), ("namespaceId", "a b")], now=NOW)
    assert "/ui/jobs?status=A&namespaceId=a+b&after=y" == question.address(after="y")
    assert "/ui/jobs?status=A&after=x&namespaceId=a+b" == question.whole_address()
    assert "/ui/jobs?namespaceId=a+b" == question.address(status=None)
