"""State of a job: its members as registers, its deletions, and the counts of its executions.

A register is a value with the stamp of its message: (time, rank of the status). The greater stamp wins, then the
greater value (of `createdAt`, the lesser). An absent member never erases a known one. Executions never change the
status; `job_status.py` infers one if none was reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobindex.model.jobs import JOB_STATUS_RANK, JobStatus
from jobindex.model.lives import Deletions, Life
from jobindex.model.reports import UNTIMED, JobReport, MemberValue
from jobindex.model.views import STATE_PLACES, ExecutionState

REGISTERS = (
    "namespace_id",
    "status",
    "target_selection",
    "thing_group_id",
    "thing_group_name",
    "targets",
    "is_concurrent",
    "created_at",
    "completed_at",
    "job_arn",
    "description",
    "comment",
    "reason_code",
    "process_details",
    "deployment_id",
    "deployment_name",
    "configuration_arn",
    "document",
)
PLACES = {name: place for place, name in enumerate(REGISTERS)}
_CREATED_AT = PLACES["created_at"]
_RANKS = 8
"""A stamp is `time * 8 + rank`, which sorts like the pair: there are six ranks, with 0 for no status."""
NEVER_STAMPED = -16
"""The stamp of a register that was never reported: less than that of a message without a time."""
_STATUSES = tuple(JobStatus)
_STATUS_RANKS: Mapping[MemberValue, int] = {status.value: rank for status, rank in JOB_STATUS_RANK.items()}


def stamp_of(report: JobReport) -> int:
    """Return the stamp of a report."""
    return report.time * _RANKS + _STATUS_RANKS.get(report.members.get("status", report.ranked_as or ""), 0)


def stamp_time(stamp: int) -> int:
    """Return the time of a stamp, in milliseconds."""
    return stamp // _RANKS


def stamp_status(stamp: int) -> JobStatus | None:
    """Return the status reported with a stamp."""
    rank = stamp % _RANKS
    return _STATUSES[rank - 1] if rank else None


@dataclass(slots=True)
class Job:
    """The stored state of a job id."""

    job_id: str
    values: list[MemberValue | None] = field(default_factory=lambda: [None] * len(REGISTERS))
    """Like `stamps`, in the order of REGISTERS."""
    stamps: list[int] = field(default_factory=lambda: [NEVER_STAMPED] * len(REGISTERS))
    deletions: Deletions = field(default_factory=Deletions)
    earliest_at: int = UNTIMED
    """The least time reported of the job and its executions, in milliseconds; UNTIMED if there is none."""
    latest_at: int = UNTIMED
    """The greatest of these times."""
    arrived_at: int = UNTIMED
    """The arrival of its first message."""
    executions: list[int] = field(default_factory=lambda: [0] * len(ExecutionState))
    """The number of executions in each state, in the order of ExecutionState, in the current life."""
    untimed_ends: int = 0
    """The number of executions that ended at an unknown time."""

    def merge(self, report: JobReport) -> None:
        """Merge a report of this job."""
        if report.members:
            stamp = stamp_of(report)
            values, stamps = self.values, self.stamps
            for name, value in report.members.items():
                place = PLACES[name]
                known = stamps[place]
                if stamp > known or (stamp == known and _is_greater(place, value, values[place])):
                    values[place], stamps[place] = value, stamp
        if report.earliest_at > UNTIMED and (self.earliest_at == UNTIMED or report.earliest_at < self.earliest_at):
            self.earliest_at = report.earliest_at
        self.latest_at = max(self.latest_at, report.latest_at)

    def created_at(self) -> int | None:
        """Return the `createdAt` with the greatest stamp, of any life."""
        value = self.values[_CREATED_AT]
        return None if value is None else int(value)

    def values_in(self, life: Life) -> Sequence[MemberValue | None]:
        """Return the values in the order of REGISTERS; None for one that does not count in this life."""
        if life.born_at == UNTIMED:
            return self.values
        return [
            value if value is not None and _counts(stamp, life) else None
            for value, stamp in zip(self.values, self.stamps, strict=True)
        ]

    def text(self, name: str, life: Life) -> str | None:
        """Return a text if it counts in this life."""
        value = self.values[place := PLACES[name]]
        return None if value is None or not _counts(self.stamps[place], life) else str(value)

    def number(self, name: str, life: Life) -> int | None:
        """Return a number if it counts in this life."""
        value = self.values[place := PLACES[name]]
        return None if value is None or not _counts(self.stamps[place], life) else int(value)

    def stamp(self, name: str) -> int:
        """Return the stamp of a register."""
        return self.stamps[PLACES[name]]

    def count(self, state: ExecutionState, *, is_untimed: bool, by: int) -> None:
        """Add `by` (1 or -1) to the executions in a state."""
        self.executions[STATE_PLACES[state]] += by
        self.untimed_ends += by * is_untimed


def _counts(stamp: int, life: Life) -> bool:
    if life.born_at == UNTIMED:
        return True
    time = stamp_time(stamp)
    return life.counts(time, is_of_execution=stamp_status(stamp) is None and time % 1000 == 0)


def _is_greater(place: int, value: Any, known: Any) -> bool:  # noqa: ANN401 (both are the register's: texts or numbers)
    return bool(value < known if place == _CREATED_AT else value > known)
