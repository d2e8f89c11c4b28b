"""The members that may differ between MiniStack and an index of MiniStack's own answers, each with its reason."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from support.aws_answers import JOBS, LISTS, Difference, Key, Row, differences

_STATUSES = ("Canceled", "Failed", "InProgress", "Queued", "Rejected", "Removed", "Succeeded", "TimedOut")


@dataclass(frozen=True, slots=True)
class Deviation:
    """Members of which jobindex may give another answer than MiniStack."""

    name: str
    reason: str
    operations: tuple[str, ...]
    members: frozenset[str]
    applies: Callable[[Difference], bool] = lambda difference: difference.answer is None

    def excuses(self, difference: Difference) -> bool:
        """Return whether this is about a difference, and applies to it."""
        is_meant = difference.operation in self.operations and difference.member in self.members
        return is_meant and self.applies(difference)


DEVIATIONS = (
    Deviation("retryAttempt", "jobindex does not store it", LISTS, frozenset({"retryAttempt"})),
    Deviation("configuration", "jobindex does not store it", ("DescribeJob",), frozenset({"abortConfig"})),
    Deviation("forceCanceled", "jobindex does not store it", ("DescribeJob",), frozenset({"forceCanceled"})),
    Deviation(
        "lastUpdatedAt",
        "by jobindex's definition the greatest time of the job and its executions, at AWS that of the job",
        JOBS,
        frozenset({"lastUpdatedAt"}),
        lambda difference: bool(difference.answer > difference.expected),
    ),
    Deviation(
        "rejoined",
        "by jobindex's definition things by their current execution, at AWS every execution",
        ("DescribeJob",),
        frozenset({"numberOfRemovedThings", "numberOfFailedThings"}),
        lambda difference: difference.key[1] == "certificates" and difference.answer < difference.expected,
    ),
    Deviation(
        "counts of nothing",
        "jobindex leaves out the counts of a job without any known execution",
        ("DescribeJob",),
        frozenset(f"numberOf{status}Things" for status in _STATUSES),
        lambda difference: difference.key[1] == "idle" and (difference.answer, difference.expected) == (None, 0),
    ),
    Deviation(
        "isConcurrent",
        "MiniStack describes it but does not list it; jobindex lists all that it knows",
        ("ListJobs",),
        frozenset({"isConcurrent"}),
        lambda difference: difference.expected is None,
    ),
)


def compare(expected: Mapping[Key, Row], answered: Mapping[Key, Row], deviations: Sequence[Deviation]) -> None:
    """Fail for a difference that no deviation excuses, and for a deviation that excuses nothing."""
    agreed, excused, mistakes = 0, Counter[str](), []
    for difference in differences(expected, answered):
        if difference is None:
            agreed += 1
            continue
        names = [entry.name for entry in deviations if entry.excuses(difference)]
        excused.update(names)
        mistakes += [] if names else [str(difference)]
    print(f"{agreed} members agree; excused: {dict(excused)}")  # noqa: T201 (pytest shows it of a failure)
    assert [] == mistakes, "\n".join(mistakes)
    assert {entry.name for entry in deviations} == set(excused)
