"""Which life of a job id counts.

A job id can be used again after its job was deleted, and the first messages of the new job may come before the
`deleted` event of the old one. So a deletion erases nothing: it hides what is older, and a later life of the id exists
if something was born after it. Two times tell: the time inside the event, and the second of its publication, which is
a little later.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from jobindex.model.execution import NEVER, Execution
from jobindex.model.reports import UNTIMED, JobDeletion


@dataclass(slots=True)
class Deletions:
    """The deletions of a job id; of each time the greatest counts."""

    deleted_at: int = NEVER
    """The time inside, in milliseconds; NEVER if the id was not deleted."""
    published_at: int = NEVER
    """The second of the publication."""

    def __bool__(self) -> bool:
        """Return whether the id was ever deleted."""
        return self.deleted_at != NEVER

    def merge(self, deletion: JobDeletion) -> None:
        """Merge a deletion."""
        self.deleted_at = max(self.deleted_at, deletion.time)
        self.published_at = max(self.published_at, deletion.published_at)

    def birth(self, execution: Execution) -> int | None:
        """Return the least `queuedAt` of an execution's attempts that are of a later life, in milliseconds.

        An attempt is of a later life if it was queued after the publication, or if it was queued not before the time
        inside and sighted after the publication.
        """
        if not self:
            return None
        return min(
            (
                attempt.queued_at
                for attempt in execution.known_attempts()
                if attempt.second > self.published_at
                or (attempt.second >= self.deleted_at // 1000 and attempt.seen_at > self.published_at)
            ),
            default=None,
        )

    def life(self, created_at: int | None, births: Iterable[int | None]) -> "Life | None":
        """Return the life that counts, or None if the job is gone.

        `created_at` is the `createdAt` reported by the greatest stamp, `births` the birth of each execution.
        """
        if not self:
            return FIRST_LIFE
        born = [birth for birth in births if birth is not None]
        if created_at is not None and created_at > self.deleted_at:
            born.append(created_at)
        return Life(self, min(born)) if born else None


@dataclass(frozen=True, slots=True)
class Life:
    """A life of a job id."""

    deletions: Deletions
    born_at: int = UNTIMED
    """Its beginning in milliseconds; UNTIMED for the first life, which has none."""

    @property
    def since(self) -> int:
        """The second from which on attempts and loose reports of executions count."""
        return self.born_at // 1000

    def counts_deletion(self, deleted_at: int) -> bool:
        """Return whether an execution's `deleted` event at a second is of this life."""
        return deleted_at > self.deletions.published_at

    def counts(self, time: int, *, is_of_execution: bool) -> bool:
        """Return whether a member of the job stamped at a time, in milliseconds, is of this life.

        What an execution's report says of its job is stamped in whole seconds, so it is compared by the second.
        """
        if self.born_at == UNTIMED:
            return True
        second, deleted_at = time // 1000, self.deletions.deleted_at
        is_later = second >= deleted_at // 1000 if is_of_execution else time > deleted_at
        return second > self.deletions.published_at or (is_later and second >= self.since)


NO_DELETIONS = Deletions()
"""Those of an id that was never deleted."""
FIRST_LIFE = Life(NO_DELETIONS)
