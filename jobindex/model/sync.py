"""Syncs: runs that fill the index from AWS's own answers, or compare it with them.

A run is advanced in steps, each one call to AWS. Its progress is stored in the transaction that merges the rows of the
answer, so a restart, or another replica, goes on there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jobindex.model.jobs import Name
from jobindex.model.reports import Report


class SyncKind(Name):
    """A kind of run, from the first to be advanced to the last."""

    JOB = "job"
    """Describes one job, because a client has opened it, and lists its executions."""
    PENDING = "pending"
    """Checks the active jobs and their pending executions, after a lost session."""
    FILL = "fill"
    """Lists all jobs, with their namespaces and deployments, and the pending executions of the active ones."""
    ACTIVE = "active"
    """Checks the active jobs."""
    ALL = "all"
    """Checks all jobs and the pending executions."""
    DETAILS = "details"
    """Describes every job and lists all its executions, while no message waits."""


CHECKS = frozenset({SyncKind.PENDING, SyncKind.ACTIVE, SyncKind.ALL})
"""The kinds that look for differences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRun:
    """A run and its progress."""

    id: int
    kind: SyncKind
    requested_at: datetime
    job_id: str = ""
    """Of a run of the kind JOB."""
    with_groups: bool = False
    """Whether a FILL also lists thing groups, their jobs and their members."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    """None while it is open."""
    as_of: datetime | None = None
    """When AWS answered its first call, by AWS's clock; what the index says afterwards is as new as that."""
    is_complete: bool = False
    """Whether the run has ended, and no call that it needed failed."""
    phase: str = ""
    position: str = "{}"
    """The next call of the phase, as JSON."""
    done: int = 0
    """Items of the phase (listings or jobs) that are done."""
    total: int | None = None
    """All items of the phase, None if unknown."""
    rows: int = 0
    calls: int = 0
    throttled: int = 0
    """Calls that AWS has throttled."""
    differences: int = 0
    """Counted by the store."""
    problems: tuple[str, ...] = ()
    """What the run could not get, and why; at most 20."""


class DifferenceKind(Name):
    """What differed between the index and AWS's answer."""

    JOB_MISSING = "job_missing"
    """The index did not list the job."""
    JOB_STATUS = "job_status"
    JOB_DETAILS = "job_details"
    """The namespace, `createdAt`, `completedAt` or `lastUpdatedAt`."""
    JOB_DELETED = "job_deleted"
    """AWS does not have the job."""
    EXECUTION_MISSING = "execution_missing"
    EXECUTION_STATUS = "execution_status"
    EXECUTION_DELETED = "execution_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference that a check found."""

    kind: DifferenceKind
    job_id: str
    thing_name: str | None
    """None if it is about the job itself."""
    was: str | None
    """What the index said, for example a status; None if it said nothing."""
    now: str | None
    """What AWS says; None if it has nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDifference:
    """A stored difference; the newest 10,000 are stored."""

    id: int
    """Greater for a later difference."""
    found_at: datetime
    run_id: int
    is_repaired: bool
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStep:
    """The result of a call, to be merged and stored in one transaction."""

    run: SyncRun
    """With its progress after this step; its id is that of a stored run."""
    rows: Sequence[Sequence[Report]] = ()
    """The reports of each row."""
    listed: Sequence[tuple[str, str]] = ()
    """The job ids, with "" or a thing's name, that the run's listing has: `unlisted_jobs` and `unlisted_executions`
    do not return them."""
    compared: frozenset[tuple[str, str]] = frozenset()
    """The job ids, with "" or a thing's name, whose differences are stored and counted."""
    members: Sequence[tuple[str, str]] = ()
    """Thing groups with a thing of theirs each."""
    whole_group: str | None = None
    """The thing group whose things this run has listed completely: it has no others."""
    repairs: bool = True
    """Whether the rows are merged; if not, they are only compared."""
    filled_at: datetime | None = None
    """If known: the index was filled as of this time."""
    reconciled_at: datetime | None = None
    """If known: the index was compared with AWS as of this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTimes:
    """The times of the last complete syncs, by AWS's clock; None if there was none."""

    filled_at: datetime | None = None
    reconciled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIds:
    """A page of job ids in order; it may be short or empty although more follow."""

    job_ids: Sequence[str]
    next_position: str | None
    """The id after which the next page starts; None if no more follow."""
