"""Pending lists of a thing, and the attempts that they leave out.

AWS lists the pending executions of a thing in one namespace or none: IN_PROGRESS first, then by `queuedAt`, at most ten
(fifteen in a maintenance window). A list of fewer than ten is complete: an attempt that it leaves out has ended. A
longer list may be cut: it leaves out only attempts that would sort before its last entry.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from jobindex.model.reports import NO_NUMBER, UNTIMED, ListEntry, PendingListReport

CUT_LISTS_MAXIMUM = 4
"""Cut lists stored for a thing and namespace, the greatest."""


class CutList(NamedTuple):
    """A list of ten entries or more; its fields define the order."""

    listed_at: int
    is_last_queued: bool
    last_queued_second: int
    """UNTIMED if the last entry has no `queuedAt`."""


class Lists(Protocol):
    """Pending lists, or an earlier decision about them."""

    def leave_out(self, job_id: str, queued_second: int, number: int, *, seen_at: int, is_started: bool) -> bool:
        """Return whether a list shows that an attempt is no longer pending.

        `queued_second` is UNTIMED if no attempt is known; `seen_at` is the second of its last sighting.
        """


@dataclass(frozen=True, slots=True)
class DecidedLists:
    """An earlier decision about an execution."""

    is_left_out: bool

    def leave_out(self, *_: object, **__: object) -> bool:
        """Return the decision."""
        return self.is_left_out


@dataclass(slots=True)
class PendingLists:
    """The lists of a thing, in a namespace or in none."""

    thing_name: str
    namespace_id: str | None
    listed_at: int = UNTIMED
    """The second of the latest complete list; UNTIMED if there is none."""
    entries: frozenset[ListEntry] = frozenset()
    """The entries of that list; of several lists in that second, those in all of them."""
    cut_lists: list[CutList] = field(default_factory=list)
    """Those later than the complete list, greatest first."""

    def copy(self) -> "PendingLists":
        """Return a copy."""
        return PendingLists(
            self.thing_name, self.namespace_id, self.listed_at, self.entries, cut_lists=self.cut_lists.copy()
        )

    def merge(self, report: PendingListReport) -> None:
        """Merge a list; a complete one replaces lists that are not later."""
        if report.last_entry is not None:
            cut = CutList(report.listed_at, *report.last_entry)
            if cut.listed_at > self.listed_at and cut not in self.cut_lists:
                self.cut_lists = sorted((*self.cut_lists, cut), reverse=True)[:CUT_LISTS_MAXIMUM]
        elif report.listed_at > self.listed_at:
            self.listed_at, self.entries = report.listed_at, report.entries
            self.cut_lists = [cut for cut in self.cut_lists if cut.listed_at > self.listed_at]
        elif report.listed_at == self.listed_at:
            self.entries &= report.entries

    def leave_out(self, job_id: str, queued_second: int, number: int, *, seen_at: int, is_started: bool) -> bool:
        """Implement `Lists`."""
        return self._complete_leaves_out(job_id, queued_second, number, seen_at=seen_at) or any(
            cut.listed_at > seen_at and _sorts_before(queued_second, cut, is_started=is_started)
            for cut in self.cut_lists
        )

    def _complete_leaves_out(self, job_id: str, queued_second: int, number: int, *, seen_at: int) -> bool:
        if self.listed_at < seen_at or self.listed_at == UNTIMED:
            return False
        if self.listed_at == seen_at and not UNTIMED < queued_second < self.listed_at:
            return False
        return not any(
            entry.job_id == job_id
            and entry.queued_second == queued_second
            and (NO_NUMBER in (number, entry.execution_number) or entry.execution_number == number)
            for entry in self.entries
        )


def _sorts_before(queued_second: int, cut: CutList, *, is_started: bool) -> bool:
    is_queued_before = UNTIMED < queued_second < cut.last_queued_second
    if cut.is_last_queued:
        return is_started or is_queued_before
    return is_started and is_queued_before
