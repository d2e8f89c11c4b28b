"""What is kept of a job: its members as registers, its deletions, and the counts of its executions.

A register is a value with the stamp of its message: (time, rank of the status). It yields only to a greater stamp, and
at the same stamp to the greater value (of `createdAt` to the lesser). An absent member never erases a known one.
Executions never change a register; `job_status.py` infers a status if none was reported.
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
"""The names of a job's registers."""
PLACES = {name: place for place, name in enumerate(REGISTERS)}
"""The place of each register."""
_CREATED_AT = PLACES["created_at"]
_RANKS = 8
"""A stamp is `time * 8 + rank`, which orders as the pair does: there are six ranks, with none for no status."""
NEVER_STAMPED = -16
"""The stamp of a register that was never reported: less than that of a message without any time."""
_STATUSES = tuple(JobStatus)
_STATUS_RANKS: Mapping[MemberValue, int] = {status.value: rank for status, rank in JOB_STATUS_RANK.items()}


def stamp_of(report: JobReport) -> int:
    """Return the stamp of a report, as one number."""
    return report.time * _RANKS + _STATUS_RANKS.get(report.members.get("status", ""), 0)


def stamp_time(stamp: int) -> int:
    """Return the time of a stamp, in milliseconds."""
    return stamp // _RANKS


def stamp_status(stamp: int) -> JobStatus | None:
    """Return the status that the message of a stamp reported."""
    rank = stamp % _RANKS
    return _STATUSES[rank - 1] if rank else None


@dataclass(slots=True)
class Job:
    """All that is kept of a job id."""

    job_id: str
    values: list[MemberValue | None] = field(default_factory=lambda: [None] * len(REGISTERS))
    """The value of each register, in the order of REGISTERS."""
    stamps: list[int] = field(default_factory=lambda: [NEVER_STAMPED] * len(REGISTERS))
    """Their stamps."""
    deletions: Deletions = field(default_factory=Deletions)
    earliest_at: int = UNTIMED
    """The least time reported of the job and its executions, in milliseconds; UNTIMED if none was."""
    latest_at: int = UNTIMED
    """The greatest."""
    arrived_at: int = UNTIMED
    """When its first message arrived."""
    executions: list[int] = field(default_factory=lambda: [0] * len(ExecutionState))
    """How many of its executions are in each state, in the order of ExecutionState, as they are shown in its life."""
    untimed_ends: int = 0
    """How many of them have ended at an unknown time."""

    def merge(self, report: JobReport) -> None:
        """Merge a report of this job, or of one of its executions."""
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
        """Return the `createdAt` reported by the greatest stamp, whatever life it is of; None if none was."""
        value = self.values[_CREATED_AT]
        return None if value is None else int(value)

    def values_in(self, life: Life) -> Sequence[MemberValue | None]:
        """Return the values that count in a life, in the order of REGISTERS; None for those that do not."""
        if life.born_at == UNTIMED:
            return self.values
        return [
            value if value is not None and _counts(stamp, life) else None
            for value, stamp in zip(self.values, self.stamps, strict=True)
        ]

    def text(self, name: str, life: Life) -> str | None:
        """Return the value of a register that holds a text and counts in a life, or None."""
        value = self.values[place := PLACES[name]]
        return None if value is None or not _counts(self.stamps[place], life) else str(value)

    def number(self, name: str, life: Life) -> int | None:
        """Return the value of a register that holds a number and counts in a life, or None."""
        value = self.values[place := PLACES[name]]
        return None if value is None or not _counts(self.stamps[place], life) else int(value)

    def stamp(self, name: str) -> int:
        """Return the stamp of a register; NEVER_STAMPED if it was never reported."""
        return self.stamps[PLACES[name]]

    def count(self, state: ExecutionState, *, is_untimed: bool, by: int) -> None:
        """Count an execution in a state; `by` is 1 or -1."""
        self.executions[STATE_PLACES[state]] += by
        self.untimed_ends += by * is_untimed


def _counts(stamp: int, life: Life) -> bool:
    if life.born_at == UNTIMED:
        return True
    time = stamp_time(stamp)
    return life.counts(time, is_of_execution=stamp_status(stamp) is None and time % 1000 == 0)


def _is_greater(place: int, value: Any, known: Any) -> bool:  # noqa: ANN401 (both are the register's: texts or numbers)
    return bool(value < known if place == _CREATED_AT else value > known)
