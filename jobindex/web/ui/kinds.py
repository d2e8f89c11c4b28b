"""The kinds of pages: path, function and parameters of each."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from functools import partial

from jobindex.access.access import visible_to
from jobindex.access.principals import Principal
from jobindex.model.parameters import Constraints
from jobindex.model.reader import Reader
from jobindex.model.store import Store
from jobindex.monitoring.state import SyncStatus
from jobindex.web.opened_jobs import OpenedJobs
from jobindex.web.ui import job, jobs, namespaces, reconciliation, rejected, stuck, things
from jobindex.web.ui.page import Page, Question

Make = Callable[[Store, Principal, Question], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of pages."""

    path: str
    parameters: Constraints
    make: Make
    _: KW_ONLY
    of_all: str | None = None
    """The operation that the page corresponds to, if its response covers all namespaces or none."""


def kinds(stuck_after: timedelta, opened: OpenedJobs, read_sync: Callable[[], SyncStatus | None]) -> Sequence[Kind]:
    """Return all kinds; `read_sync` returns the status of the sync with AWS, None if it is off."""
    job_page = partial(job.job_page, opened=opened)
    thing_page = partial(things.thing_page, stuck_after=stuck_after)
    stuck_page = partial(stuck.stuck_page, stuck_after=stuck_after)
    reconciliation_page = partial(reconciliation.reconciliation_page, read_sync=read_sync)
    return (
        Kind("/", namespaces.PARAMETERS, _of_visible(namespaces.namespaces_page)),
        Kind("/jobs", jobs.PARAMETERS, _of_visible(jobs.jobs_page)),
        Kind("/jobs/{job_id}", job.PARAMETERS, _of_visible(job_page)),
        Kind("/things", things.PARAMETERS, _of_visible(things.things_page)),
        Kind("/things/{thing_name}", things.THING_PARAMETERS, _of_visible(thing_page)),
        Kind("/stuck", stuck.PARAMETERS, _of_visible(stuck_page)),
        Kind("/rejected", rejected.PARAMETERS, _of_all(rejected.rejected_page), of_all="ListRejectedMessages"),
        Kind("/rejected/{id}", {}, _of_all(rejected.rejected_message_page), of_all="GetRejectedMessage"),
        Kind("/reconciliation", reconciliation.PARAMETERS, _of_all(reconciliation_page), of_all="ListDifferences"),
    )


def _of_visible(make: Callable[[Reader, Question], Awaitable[Page]]) -> Make:
    return lambda store, principal, question: make(visible_to(store, principal), question)


def _of_all(make: Callable[[Store, Question], Awaitable[Page]]) -> Make:
    return lambda store, _, question: make(store, question)
