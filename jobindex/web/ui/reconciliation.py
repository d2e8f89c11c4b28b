"""The page of the syncs with AWS: the progress, the last runs, and the differences that checks found."""

from collections.abc import Callable

from jobindex.model.parameters import Constraints, Integer, parse_parameters
from jobindex.model.store import Store
from jobindex.model.sync import SyncKind
from jobindex.monitoring.state import SyncStatus
from jobindex.web.ui.freshness import known_total
from jobindex.web.ui.page import PAGE_SIZE, POSITION, Page, Question, forward_pager

PARAMETERS: Constraints = {"after": POSITION}
RUNS_SHOWN = 10
_RUNS_READ = 100
"""Those of single jobs, which are not shown, come first while they are open."""

_BEFORE = Integer(least=0, greatest=10**18 - 1)


async def reconciliation_page(store: Store, question: Question, read_sync: Callable[[], SyncStatus | None]) -> Page:
    """Return the status of the sync, and the differences, newest first.

    Raises:
        InvalidRequestException: `after` is invalid.
    """
    position = question.position()
    before = None
    if position is not None:
        before = parse_parameters({"after": _BEFORE}, [("after", position)]).integer("after")
    found = await store.differences(before=before, limit=PAGE_SIZE + 1)
    page = found[:PAGE_SIZE]
    sync = read_sync()
    runs = await store.sync_runs(limit=_RUNS_READ)
    values: dict[str, object] = {
        "sync": sync,
        "total": None if sync is None else known_total(sync),
        "times": await store.sync_times(),
        "runs": [run for run in runs if run.kind is not SyncKind.JOB][:RUNS_SHOWN],
        "differences": page,
        "pager": forward_pager(question, str(page[-1].id) if found[PAGE_SIZE:] else None),
    }
    return Page(template="reconciliation.html", title="Reconciliation", section="reconciliation", values=values)
