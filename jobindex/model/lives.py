"""Lives of a job id, which can be used again after its job was deleted.

Messages of the new job may arrive before the `deleted` event of the old one. So a deletion only hides older reports,
and a later life exists if something was born after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from jobindex.model.execution import NEVER, Execution
from jobindex.model.reports import UNTIMED, JobDeletion


@dataclass(slots=True)
class Deletions:
    """The deletions of a job id; the greatest of each time counts."""

    deleted_at: int = NEVER
    """The time inside the event, in milliseconds; NEVER if the id was not deleted."""
    published_at: int = NEVER
    """The second of the publication, a little later."""

    def __bool__(self) -> bool:
        return self.deleted_at != NEVER

    def merge(self, deletion: JobDeletion) -> None:
        """Merge a deletion."""
        self.deleted_at = max(self.deleted_at, deletion.time)
        self.published_at = max(self.published_at, deletion.published_at)

    def birth(self, execution: Execution) -> int | None:
        """Return the least `queuedAt`, in milliseconds, of the attempts of a later life.

        They were queued after the publication, or not before the time inside and sighted after the publication.
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
        """Return the life that counts, or None if the job was deleted.

        `created_at` has the greatest stamp; `births` are those of its executions.
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
    """Its beginning in milliseconds; UNTIMED for the first life."""

    @property
    def since(self) -> int:
        """The second from which attempts and loose reports count."""
        return self.born_at // 1000

    def counts_deletion(self, deleted_at: int) -> bool:
        """Return whether an execution's deletion at a second is of this life."""
        return deleted_at > self.deletions.published_at

    def counts(self, time: int, *, is_of_execution: bool) -> bool:
        """Return whether a member of the job, stamped at `time` in milliseconds, is of this life.

        Stamps of executions compare by the second, because they are whole seconds.
        """
        if self.born_at == UNTIMED:
            return True
        second, deleted_at = time // 1000, self.deletions.deleted_at
        is_later = second >= deleted_at // 1000 if is_of_execution else time > deleted_at
        return second > self.deletions.published_at or (is_later and second >= self.since)


NO_DELETIONS = Deletions()
FIRST_LIFE = Life(NO_DELETIONS)
