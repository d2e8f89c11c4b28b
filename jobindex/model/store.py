"""What a store of the index promises, whatever engine it stands on."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from jobindex.model.jobs import from_milliseconds
from jobindex.model.reader import Reader
from jobindex.model.reports import RejectedMessage, Report, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedLimits:
    """How much is kept of the messages that could not be understood."""

    max_messages: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    """The sum of their topics and payloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSummary:
    """A rejected message in a list, without its payload."""

    id: int
    rejected_at: datetime
    topic: str
    reason: str
    payload_bytes: int
    due_at: datetime | None = None
    """When it will be applied by itself: its times are too far ahead until then. None if it will not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage:
    """A rejected message as it was kept."""

    id: int
    rejected_at: datetime
    message: RejectedMessage

    @property
    def due_at(self) -> datetime | None:
        """As in RejectedSummary."""
        return None if self.message.due_at is None else from_milliseconds(self.message.due_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What is known of the session that the broker keeps for us."""

    topic_filters: frozenset[str] = frozenset()
    """The topic filters that it may still hold."""
    complete_since: datetime | None = None
    """Since when it has missed nothing; None where it has lost something and is not whole again yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to ingest, which one replica has at a time."""

    holder: str
    """The replica that has it, or had it last; "" where it was given back, or none ever had it."""
    is_mine: bool
    """Whether this process has it, as far as nobody has taken it since."""
    seconds_left: float
    """How long nobody else may take it, by the database's clock; less than 0 once anyone may."""
    told: str
    """What the holder last told the others of itself, as `take_lease` was given it; "{}" at first."""

    @property
    def is_over(self) -> bool:
        """Whether anyone may take it."""
        return self.seconds_left <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What reads otherwise than before; None where there is too much of it to name, or it is not known."""

    job_ids: frozenset[str] | None
    """Jobs that do themselves, or an execution of which does."""
    namespace_ids: frozenset[str] | None
    """Where all that reads otherwise is, and where it was, however much it is; None where it is not known."""
    thing_names: frozenset[str] | None
    """Things on which an execution does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a batch."""

    discarded: int
    """How many rejected messages, the oldest, had to go to keep the others within their limits."""
    changed: Changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What became of rejected messages that were parsed again."""

    applied: tuple[int, ...]
    """The ids of those that are understood now; they are kept no longer."""
    rejected: Mapping[int, str]
    """Why the others are still rejected, by their ids."""
    missing: tuple[int, ...]
    """The ids under which none is kept."""
    changed: Changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What a step of retention has forgotten."""

    jobs: int
    """How many jobs, those that were deleted before among them."""
    changed: Changed


NAMED_MAXIMUM = 100
"""Jobs, or executions, that are named as changed; of more it is said that there are many."""


class Store(Reader, Protocol):
    """An index of jobs that outlives the process.

    The index is a function of the set of reports applied: any order, any repetition, any cut into batches
    gives the same answers (where no message of a job bears a time, its arrival shows).

    Where several processes share it, all of them answer, and the one that has its lease ingests: to `apply`,
    `remember_session` and `retain` it is refused what it began after another had taken the lease. Nothing else rests
    on the lease: what two have ingested is merged like what one has. To retry and purge rejected messages it is not
    needed.

    Every coroutine raises DatabaseUnavailableError if the index cannot be read, or written, just now.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes may write it, too; else its one process always has the lease."""

    async def take_lease(self, told: str, *, seconds: float) -> bool:
        """Take the right to ingest, or keep it, for so many seconds from now; False where another has it.

        The seconds are those of the database's clock. It never waits for who has it, nor for what is being written;
        where that stands in its way, it is False. `told` is for the others, see Lease.

        Raises:
            DatabaseUnavailableError: it cannot be written just now; whether the lease is taken is not known.
        """

    async def release_lease(self) -> None:
        """Give the right to ingest back, so that another can take it at once; nothing where it is another's."""

    async def lease(self) -> Lease:
        """Return who has the right to ingest."""

    async def changed_by_others(self) -> Sequence[Changed]:
        """Return what other processes have changed since this was last asked, or since the start, in its order.

        Where it is too much to name, one Changed of None stands for all.

        Raises:
            DatabaseUnavailableError: it cannot be read just now; what has changed is told the next time.
        """

    async def apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage], *, now: datetime) -> Applied:
        """Merge reports into the index and keep rejected messages, in one durable transaction.

        When this returns, everything given survives a loss of power; when it raises, nothing was applied.
        Applying anything again changes nothing. `now` is the time of arrival.

        Raises:
            DatabaseUnavailableError: it cannot be written just now; the same call may be tried again.
            LeaseLostError: another process has the lease.
        """

    def visible_to(self, namespace_ids: frozenset[str]) -> Reader:
        """Return a reader that answers as if nothing had ever been told of jobs outside these namespaces.

        Jobs without a namespace are outside, too. Its `version` is this store's. To it

        - a thing group is known when a listed job of these namespaces was told with it, by its name or by its id
          (whoever tied the two); else it is one that no message ever named;
        - a thing is known by the executions of such jobs, and by the complete pending lists of these namespaces: what
          is counted of it, and when it was last heard of, comes from these alone;
        - a job came to be when it came to these namespaces, and was deleted when it left them;
        - a page is short only where it is the last one, and no position names what is outside.
        """

    @property
    def rewrites(self) -> int:
        """How often jobs or rejected messages were changed otherwise than by `apply`."""

    async def check(self) -> None:
        """Return when the index can be read, without waiting for the questions under way."""

    def retain(self, age: timedelta, *, now: datetime) -> AsyncIterator[Forgotten]:
        """Forget jobs that ended, and deletions, last told of longer than `age` before `now`, with their executions.

        Each step is one short transaction that yields what it forgot. From the first step on, what
        is stamped before then makes no job that the index does not know, whatever else is applied or retained.

        Raises:
            DatabaseUnavailableError: it cannot be read or written just now; what was yielded stays.
            LeaseLostError: another process has the lease; what was yielded stays.
        """

    async def session(self) -> Session:
        """Return what was last remembered of the broker's session; an empty one at first."""

    async def remember_session(self, session: Session) -> None:
        """Keep what is known of the broker's session from now on, in place of what was.

        Raises:
            LeaseLostError: another process has the lease.
        """

    async def rejected_messages(self, *, after: int, limit: int) -> Sequence[RejectedSummary]:
        """Return at most `limit` of the rejected messages whose ids are greater than `after`, in their order.

        Ids grow in the order in which messages were rejected.
        """

    async def rejected_message(self, id_: int) -> KeptMessage:
        """Return a rejected message.

        Raises:
            ResourceNotFoundException: none is kept under this id.
        """

    async def retry_rejected(
        self, ids: Collection[int], parse: Callable[[str, bytes], Told], *, now: datetime
    ) -> Retried:
        """Parse rejected messages again and apply those that are understood now, as if they arrived now.

        In one durable transaction what they tell is merged, they are kept no longer, and those that `parse`
        still rejects, which it tells by a MessageError, get their new reasons. When it raises, nothing changed.

        Raises:
            DatabaseUnavailableError: it cannot be written just now; the same call may be tried again.
        """

    async def due_rejected(self, *, now: datetime, limit: int) -> Sequence[int]:
        """Return the ids of rejected messages whose times were too far ahead and no longer are, at most `limit`."""

    async def purge_rejected(self, ids: Collection[int] | None) -> int:
        """Keep these rejected messages no longer, all of them for None; return how many there were."""
