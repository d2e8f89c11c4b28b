"""Contract of a store of the index, for every engine."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from jobindex.model.jobs import from_milliseconds
from jobindex.model.reader import Reader
from jobindex.model.reports import Parsed, RejectedMessage, Report
from jobindex.model.sync import DifferenceKind, JobIds, StoredDifference, SyncKind, SyncRun, SyncStep, SyncTimes
from jobindex.model.views import NamespaceCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedLimits:
    """Limits of the stored rejected messages."""

    max_messages: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    """The sum of topics and payloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSummary:
    """A rejected message without its payload."""

    id: int
    rejected_at: datetime
    topic: str
    """The first 1,024 characters."""
    reason: str
    payload_bytes: int
    due_at: datetime | None = None
    """The time at which the service applies it, because its times are no longer too far ahead. None if never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A stored rejected message."""

    id: int
    rejected_at: datetime
    message: RejectedMessage

    @property
    def due_at(self) -> datetime | None:
        """As in RejectedSummary."""
        return None if self.message.due_at is None else from_milliseconds(self.message.due_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The stored session with the broker."""

    topic_filters: frozenset[str] = frozenset()
    """Those that it may still have."""
    complete_since: datetime | None = None
    """The time since which it has missed nothing. None if it lost messages and is not complete again yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to ingest, which one replica has at a time."""

    holder: str
    """The replica that has it, or had it last; "" if it was released, or never taken."""
    is_mine: bool
    """Whether this process has it, unless another has taken it meanwhile."""
    seconds_left: float
    """Until other replicas may take it, by the database's clock; negative once they may."""
    status: str
    """The holder's ingestion status, as passed to `take_lease`; "{}" at first."""

    @property
    def is_over(self) -> bool:
        """Whether any replica may take it."""
        return self.seconds_left <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The jobs, namespaces and things that changed; None if they are too many, or unknown."""

    job_ids: frozenset[str] | None
    """Jobs that changed, or that have an execution that changed."""
    namespace_ids: frozenset[str] | None
    """The namespaces of all changes, before and after them, however many."""
    thing_names: frozenset[str] | None
    """Things that have an execution that changed."""

    def joined(self, other: "Changed") -> "Changed":
        """Return the changes of both."""
        return Changed(
            job_ids=_union(self.job_ids, other.job_ids),
            namespace_ids=_union(self.namespace_ids, other.namespace_ids),
            thing_names=_union(self.thing_names, other.thing_names),
        )


NOTHING_CHANGED = Changed(job_ids=frozenset(), namespace_ids=frozenset(), thing_names=frozenset())


def _union(names: frozenset[str] | None, others: frozenset[str] | None) -> frozenset[str] | None:
    return None if names is None or others is None else names | others


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The result of a batch."""

    discarded: int
    """The number of rejected messages, the oldest, that were deleted to keep the others within their limits."""
    changed: Changed
    deferred: frozenset[str] = frozenset()
    """The kinds of deferred work that the batch left to `settle`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The result of a step of deferred work."""

    changed: Changed
    left: frozenset[str]
    """The kinds of work that are left: `job`, `thing` or `inferred` (completions)."""
    set_aside: Sequence[str]
    """Work that the database refuses, at most ten pieces, each with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """The result of parsing rejected messages again."""

    applied: tuple[int, ...]
    """The ids of the messages that are valid now: they were applied and deleted."""
    rejected: Mapping[int, str]
    """The reasons for the others, by id."""
    missing: tuple[int, ...]
    """The ids without a message."""
    changed: Changed

    def joined(self, other: "Retried") -> "Retried":
        """Return the results of both."""
        return Retried(
            applied=self.applied + other.applied,
            rejected={**self.rejected, **other.rejected},
            missing=self.missing + other.missing,
            changed=self.changed.joined(other.changed),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of merging rows."""

    refused: Mapping[int, str]
    """The rows whose data the database refuses, by their index, with its reason."""
    changed: Changed

    def joined(self, other: "Imported", *, after: int) -> "Imported":
        """Return the results of both; `other` is about the rows after the first `after`."""
        refused = {after + index: reason for index, reason in other.refused.items()}
        return Imported(refused={**self.refused, **refused}, changed=self.changed.joined(other.changed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """The result of a step of a sync."""

    changed: Changed
    refused: Mapping[int, str]
    """The rows whose data the database refuses, by their index, with its reason."""
    differences: Mapping[DifferenceKind, int]
    """How many differences were found, by kind."""
    deferred: frozenset[str] = frozenset()
    """The kinds of deferred work that the step left to `settle`."""

    def joined(self, other: "Synced", *, after: int) -> "Synced":
        """Return the results of both; the other's rows follow `after` rows."""
        return Synced(
            changed=self.changed.joined(other.changed),
            refused={**self.refused, **{after + place: reason for place, reason in other.refused.items()}},
            differences=Counter(self.differences) + Counter(other.differences),
            deferred=self.deferred | other.deferred,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionStep:
    """The result of a step of retention."""

    jobs: int
    """The number of expired jobs, including those that a message had deleted before."""
    changed: Changed


NAMED_MAXIMUM = 100
"""The greatest number of changed jobs, or executions, that are listed."""


class Store(Reader, Protocol):
    """An index of jobs that outlives the process.

    The index is a function of the set of reports: any order, repetition or split into batches gives the same answers.
    (Arrival shows only if no message of a job has a time.)

    All processes that share it answer; the holder of the lease ingests. Correctness does not depend on the lease:
    reports from two processes merge like those from one.

    Every coroutine raises DatabaseUnavailableError if the index cannot be read or written; the caller may retry it.
    `apply`, `settle`, `retry_set_aside`, `retain` and `remember_session` raise LeaseLostError if another process has
    the lease.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes may write it; otherwise this process always has the lease."""

    async def take_lease(self, status: str, *, seconds: float) -> bool:
        """Take or renew the lease by the database's clock; False if another process has it.

        Also False, without waiting, if a write in progress blocks it.

        Raises:
            DatabaseUnavailableError: it is unknown whether the lease was taken.
        """

    async def release_lease(self) -> None:
        """Release the lease, if this process has it, so that another can take it at once."""

    async def lease(self) -> Lease:
        """Return the lease."""

    async def changed_by_others(self) -> Sequence[Changed]:
        """Return changes by other processes since the last call, or since the start, in order.

        Too many are one Changed of None. If this raises, the next call returns them.
        """

    async def apply(self, reports: Sequence[Report], rejected: Sequence[RejectedMessage], *, now: datetime) -> Applied:
        """Merge reports and store rejected messages, in one transaction; `now` is the time of arrival.

        If this returns, everything survives a loss of power; if it raises, nothing was applied. Applying anything again
        changes nothing.
        """

    async def settle(self, *, now: datetime) -> Settled | None:
        """Do a step of deferred work, in one short transaction; None if none is left.

        Until the last step, rows that a message changes in addition to its own show their former state whole. A step
        that the database refuses is set aside.
        """

    async def retry_set_aside(self) -> None:
        """Let `settle` retry work that was set aside."""

    def visible_to(self, namespace_ids: frozenset[str]) -> Reader:
        """Return a reader that answers as if no message had ever reported jobs outside these namespaces.

        Jobs without a namespace are outside, too. Its `version` is this store's. To this reader

        - a thing group exists if a listed job of these namespaces was reported with its name or id (any message may tie
          them);
        - things, their counts and last messages come only from executions of such jobs and complete lists of these
          namespaces;
        - a job was created when it entered these namespaces, and deleted when it left them;
        - only the last page is short, and no position names anything outside.
        """

    async def namespace_counts(self, *, maximum: int) -> NamespaceCounts:
        """Count jobs and executions: separately in the `maximum` namespaces with the most jobs.

        The others are counted together. Among equal counts the least names win; a name of more than 128 characters is
        never counted separately. The cost grows with the namespaces, not with the jobs.
        """

    @property
    def rewrites(self) -> int:
        """Counts changes of jobs or rejected messages by anything but `apply`."""

    async def check(self) -> None:
        """Check that the index can be read, without waiting for queries in progress."""

    def retain(self, age: timedelta, *, now: datetime) -> AsyncIterator[RetentionStep]:
        """Delete ended jobs, and deletions, last stamped more than `age` before `now`, with their executions.

        Each step is one short transaction; results yielded before an error remain. From the first step on, a message
        stamped before that time never creates a job.
        """

    async def is_empty(self) -> bool:
        """Return whether no message, not even a rejected one, has left anything."""

    async def session(self) -> Session:
        """Return the stored session, at first empty."""

    async def remember_session(self, session: Session) -> None:
        """Replace the stored session."""

    async def newest_arrival(self) -> datetime | None:
        """Return the newest arrival of a message that changed a job or was rejected.

        It reads the activity of each namespace.
        """

    async def rejected_messages(self, *, after: int, limit: int) -> Sequence[RejectedSummary]:
        """Return rejected messages with ids greater than `after`, in order."""

    async def rejected_message(self, id_: int) -> StoredMessage:
        """Return a rejected message.

        Raises:
            ResourceNotFoundException: no message has this id.
        """

    async def retry_rejected(
        self, ids: Collection[int], parse: Callable[[str, bytes], Parsed], *, now: datetime
    ) -> Retried:
        """Parse rejected messages again and apply those that are valid now, as if they arrived now.

        One durable transaction merges reports, deletes their messages and updates other reasons; large messages take
        several. If this raises, earlier transactions remain. It needs no lease.
        """

    async def import_rows(self, rows: Sequence[Sequence[Report]], *, now: datetime) -> Imported:
        """Merge the reports of rows from AWS's answers, in one durable transaction; `now` is the time of arrival.

        If the database refuses the data of a row, it is refused alone, and the others take several transactions. If
        this raises, earlier transactions remain; importing a row again changes nothing. It needs no lease.
        """

    async def request_sync(self, kind: SyncKind, *, job_id: str = "", with_groups: bool = False, now: datetime) -> None:
        """Store an open run, unless there is an open one of the kind and the job. It needs no lease.

        A run of the kind JOB is not stored while twenty of them are open.
        """

    async def next_sync(self) -> SyncRun | None:
        """Return the open run to advance: the first by kind, then the oldest; None if no run is open."""

    async def record_sync(self, step: SyncStep, *, now: datetime) -> Synced:
        """Merge the rows of a step, and store its differences and its run's progress, in one durable transaction.

        If the database refuses the data of a row, it is refused alone, and the others take several transactions; the
        progress is stored with the last. Without `repairs`, the rows are compared but not merged. Recording a step
        again changes nothing but counts. An ended run's listing is deleted, in parts by later steps. The store counts
        the run's `differences` itself.

        Raises:
            LeaseLostError: another replica ingests.
            ResourceNotFoundException: there is no such run; nothing is stored.
            DataRefusedError: the database refuses the progress.
        """

    async def sync_runs(self, *, limit: int) -> Sequence[SyncRun]:
        """Return the open runs in the order of `next_sync`, then the ended ones, newest first.

        Of the ended ones, the 50 newest of each kind are stored, so that runs of single jobs hide no other.
        """

    async def sync_times(self) -> SyncTimes:
        """Return the times of the last complete syncs."""

    async def differences(self, *, before: int | None, limit: int) -> Sequence[StoredDifference]:
        """Return differences with ids less than `before`, newest first."""

    async def unlisted_jobs(
        self, run_id: int, *, stamped_before: datetime, ended_since: datetime, only_active: bool, after: str, limit: int
    ) -> JobIds:
        """Return jobs that the index lists, but no listing of the run, with ids greater than `after`.

        Only jobs whose greatest time is before `stamped_before`; not those that ended before `ended_since`; if
        `only_active`, only those that are SCHEDULED or IN_PROGRESS.
        """

    async def unlisted_executions(
        self, run_id: int, job_id: str, *, seen_before: datetime, limit: int
    ) -> Sequence[str]:
        """Return things whose execution of the job is pending, but in no listing of the run.

        Only executions last seen pending before `seen_before`.
        """

    async def jobs_to_list(self, *, with_pending: bool, after: str, limit: int) -> JobIds:
        """Return listed jobs with ids greater than `after`, in order.

        If `with_pending`, only those that have pending executions but are not IN_PROGRESS.
        """

    async def reported_arn_prefix(self) -> str | None:
        """Return for example `arn:aws:iot:us-east-1:123456789012`, the beginning of the last reported ARN."""

    async def due_rejected(self, *, now: datetime, limit: int) -> Sequence[int]:
        """Return the ids of rejected messages whose times are no longer too far ahead."""

    async def purge_rejected(self, ids: Collection[int] | None) -> int:
        """Delete these rejected messages, or all for None; return their number. It needs no lease."""
