"""The kinds of page there are: where each is, who makes it, and what it may be asked."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.requests import Request

from jobindex.access.access import visible_to
from jobindex.access.principals import Principal
from jobindex.model.parameters import Constraints
from jobindex.model.reader import Reader
from jobindex.model.store import Store
from jobindex.web.ui import job, jobs, namespaces, rejected, stuck, things
from jobindex.web.ui.page import Page, Question

Make = Callable[[Store, Principal, Question, Request], Awaitable[Page]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Pages of a kind: where they are, who makes one, and what it may be asked."""

    path: str
    make: Make
    parameters: Constraints = field(default_factory=dict)
    of_all: str | None = None
    """The operation that it stands for, where that is of all namespaces or of none."""


def kinds(stuck_after: timedelta) -> Sequence[Kind]:
    """Return all of them; what waits longer than `stuck_after` is stuck."""
    return (
        Kind(
            path="/",
            parameters=namespaces.PARAMETERS,
            make=_of_seen(lambda reader, question, _: namespaces.namespaces_page(reader, question)),
        ),
        Kind(
            path="/jobs",
            parameters=jobs.PARAMETERS,
            make=_of_seen(lambda reader, question, _: jobs.jobs_page(reader, question)),
        ),
        Kind(
            path="/jobs/{job_id}",
            parameters=job.PARAMETERS,
            make=_of_seen(
                lambda reader, question, request: job.job_page(reader, question, request.path_params["job_id"])
            ),
        ),
        Kind(
            path="/things",
            parameters=things.PARAMETERS,
            make=_of_seen(lambda reader, question, _: things.things_page(reader, question)),
        ),
        Kind(
            path="/things/{thing_name}",
            parameters=things.THING_PARAMETERS,
            make=_of_seen(
                lambda reader, question, request: things.thing_page(
                    reader, question, request.path_params["thing_name"], stuck_after
                )
            ),
        ),
        Kind(
            path="/stuck",
            parameters=stuck.PARAMETERS,
            make=_of_seen(lambda reader, question, _: stuck.stuck_page(reader, question, stuck_after)),
        ),
        Kind(
            path="/rejected",
            parameters=rejected.PARAMETERS,
            make=lambda store, _, question, __: rejected.rejected_page(store, question),
            of_all="ListRejectedMessages",
        ),
        Kind(
            path="/rejected/{id}",
            make=lambda store, _, __, request: rejected.rejected_message_page(store, request.path_params["id"]),
            of_all="GetRejectedMessage",
        ),
    )


def _of_seen(make: Callable[[Reader, Question, Request], Awaitable[Page]]) -> Make:
    """Make pages of what who asks may see."""
    return lambda store, principal, question, request: make(visible_to(store, principal), question, request)
