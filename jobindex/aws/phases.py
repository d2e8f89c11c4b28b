"""The contract of a phase of a run, and the tools that phases share."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from jobindex.aws.account import NO_ACCOUNT, region_and_account
from jobindex.aws.answers import AwsAnswer
from jobindex.aws.caller import Caller
from jobindex.errors import AwsSourceError, MessageError
from jobindex.messages.rows import RowOperation, RowSource, read_row
from jobindex.model.jobs import JOB_ID
from jobindex.model.reports import ExecutionReport, JobReport, Report
from jobindex.model.store import Store
from jobindex.model.sync import SyncRun

Position = Mapping[str, Any]
"""The next call of a phase, as JSON."""

PAGE_ROWS = 250
"""AWS's maximum."""
GRACE_MILLISECONDS = 60_000
"""A row that AWS updated less than this before its answer is not counted as a difference: its message may come."""
_ARNS = ("jobArn", "thingArn", "iotJobArn", "targetArn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a phase's step."""

    position: Position | None
    """None if the phase is over."""
    rows: Sequence[Sequence[Report]] = ()
    listed: Sequence[tuple[str, str]] = ()
    compared: frozenset[tuple[str, str]] = frozenset()
    members: Sequence[tuple[str, str]] = ()
    whole_group: str | None = None
    """These five are as in SyncStep."""
    as_of: int | None = None
    """The time of the answer, as in AwsAnswer; the first one is the run's."""
    done: int = 0
    """Items of the phase that this step has finished."""
    problems: Sequence[str] = ()
    is_incomplete: bool = False
    """Whether a call has failed that the run needs."""


class Phase(Protocol):
    """A phase of a run; it makes up to three calls in each step."""

    name: str
    calls_per_item: int
    operation: str
    """The operation that bounds its speed."""

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        """Return the first position, None to skip the phase, and the number of its items, None if unknown.

        `is_complete` is false if an earlier phase of the run lacks something.
        """

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        """Make the call of a position.

        Raises:
            AwsError: as in Caller, if the phase cannot go on.
            DatabaseUnavailableError: the index cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The client, the store and the settings of all phases."""

    caller: Caller
    store: Store
    namespaces: Sequence[str]
    """Those to list, in addition to the index's."""
    keeps_ended: timedelta
    note_dropped: Callable[[str], None]
    """Receives the name of each member that a row's reader drops."""
    arn_prefix: str | None = None
    """The beginning of the account's ARNs by the settings; None if they do not name the account."""

    async def known_source(self) -> str | None:
        """Return the beginning of the ARNs that messages report, or else that of the settings; None if unknown."""
        return await self.store.reported_arn_prefix() or self.arn_prefix


@dataclass(slots=True)
class Reading:
    """Reads the rows of one answer."""

    tools: Tools
    answer: AwsAnswer
    rows: list[Sequence[Report]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def read(self, rows: Collection[Mapping[str, Any]], operation: RowOperation, **source: str | None) -> None:
        """Read rows; one that cannot be understood is a problem.

        Raises:
            AwsSourceError: they are of another account or region than the messages.
        """
        await _check_source(self.tools, rows)
        origin = RowSource(operation=operation, as_of=self.answer.as_of, **source)
        now = max(round(time.time() * 1000), self.answer.answered_at)
        left_out = []
        for row in rows:
            try:
                self.rows.append(read_row(row, origin, now, self.tools.note_dropped))
            except MessageError as error:
                name = row.get("jobId") or source.get("job_id")
                left_out.append(f"{operation}: the row of job {name!r} was left out: {error}")
        if left_out:  # one problem for each answer: only so many are shown
            others = len(left_out) - 1
            self.problems.append(left_out[0] + (f"; {others} more of this answer, too" if others else ""))

    def outcome(self, position: Position | None, **members: Any) -> Outcome:  # noqa: ANN401 (as Outcome's)
        """Return the outcome of a step with the rows."""
        problems = [*members.pop("problems", ()), *self.problems]
        return Outcome(position=position, rows=self.rows, as_of=self.answer.as_of, problems=problems, **members)

    def keys(self, *, of_executions: bool) -> frozenset[tuple[str, str]]:
        """Return the keys of the rows that AWS has not just updated."""
        latest = self.answer.as_of - GRACE_MILLISECONDS
        if of_executions:
            reports = (report for row in self.rows for report in row if isinstance(report, ExecutionReport))
            return frozenset((report.job_id, report.thing_name) for report in reports if report.time <= latest)
        jobs = (row[0] for row in self.rows)  # the other reports of a row are about the same job
        return frozenset((job.job_id, "") for job in jobs if isinstance(job, JobReport) and job.latest_at <= latest)


def job_id_of(row: Mapping[str, Any]) -> str | None:
    """Return the id of the job in a row; None if it is not valid."""
    job_id = row.get("jobId")
    return job_id if isinstance(job_id, str) and JOB_ID.fullmatch(job_id) else None


async def _check_source(tools: Tools, rows: Iterable[Mapping[str, Any]]) -> None:
    known = await tools.known_source()
    if known is None:
        return
    expected = region_and_account(known)
    for arn in (row.get(name) for row in rows for name in _ARNS):
        given = region_and_account(arn) if isinstance(arn, str) else expected
        if given != expected and NO_ACCOUNT not in {given[1], expected[1]}:
            raise AwsSourceError(
                f"AWS answers for region and account {':'.join(given)}, but the index has messages of "
                f"{':'.join(expected)}: nothing was merged"
            )
