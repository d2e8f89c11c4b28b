"""The syncs with AWS over HTTP: their status, the differences that checks found, and a request for a run."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from jobindex.errors import AccessDeniedException, InvalidRequestException
from jobindex.model.parameters import JOB_ID, Choice, Integer, Values, invalid, problem
from jobindex.model.store import Store
from jobindex.model.sync import DifferenceKind, StoredDifference, SyncKind, SyncRun
from jobindex.monitoring.state import SyncStatus
from jobindex.web.api.bodies import Body, Flag
from jobindex.web.api.operations import COMMON_ERRORS, Audience, Operation, StoreServed, page_limit
from jobindex.web.api.schemas import (
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    an_array,
    an_object,
    if_known,
    known,
    one_of,
    or_null,
    seconds,
    sync_status,
)

RUNS_MAXIMUM = 50
"""The greatest number of runs in an answer: those that are open, and the last ones."""

_PATH = "/index/sync"
_ID = Integer(least=0, greatest=10**18 - 1)
_KINDS = tuple(kind for kind in SyncKind if kind is not SyncKind.JOB)
_RUN = an_object(
    id=NUMBER,
    kind=one_of(SyncKind),
    jobId=if_known(JOB_ID.schema()),
    withGroups=FLAG,
    requestedAt=TIME,
    startedAt=if_known(TIME),
    endedAt=if_known(TIME),
    asOf=if_known(TIME),
    isComplete=FLAG,
    phase=if_known(TEXT),
    done=NUMBER,
    total=if_known(NUMBER),
    rows=NUMBER,
    calls=NUMBER,
    throttled=NUMBER,
    differences=NUMBER,
    problems=an_array(TEXT),
)

GET_SYNC = Operation(
    name="GetSync",
    summary="The status of the sync with AWS, its open runs and its last ones",
    path=_PATH,
    audience=Audience.UNLIMITED,
    answer=an_object(
        **sync_status("off", "fill", "check"), filled=if_known(TIME), reconciled=if_known(TIME), runs=an_array(_RUN)
    ),
    errors=COMMON_ERRORS,
)
START_SYNC = Operation(
    name="StartSync",
    summary="Request a run of the sync with AWS, unless one of its kind is open; the answer is that run",
    path=_PATH,
    method="POST",
    body=Body(members={"kind": Choice(_KINDS), "withGroups": Flag()}, required={"kind"}),
    audience=Audience.OPERATORS,
    answer=_RUN,
    errors=(*COMMON_ERRORS, AccessDeniedException),
)
LIST_DIFFERENCES = Operation(
    name="ListDifferences",
    summary="The differences between AWS and the index that checks found, newest first",
    path=f"{_PATH}/differences",
    audience=Audience.UNLIMITED,
    parameters={"limit": page_limit(), "before": _ID},
    answer=an_object(
        differences=an_array(
            an_object(
                id=NUMBER,
                kind=one_of(DifferenceKind),
                jobId=JOB_ID.schema(),
                thingName=if_known(TEXT),
                was=if_known({**TEXT, "description": "The index said this."}),
                now=if_known({**TEXT, "description": "AWS says this."}),
                foundAt=TIME,
                runId=NUMBER,
                isRepaired=FLAG,
            )
        ),
        next=or_null(NUMBER),
    ),
    errors=COMMON_ERRORS,
)

ReadStatus = Callable[[], SyncStatus | None]

_log = logging.getLogger(__name__)


async def _get(read_status: ReadStatus, store: Store, values: Values) -> object:  # noqa: ARG001 (a StoreAnswer)
    status, times = read_status(), await store.sync_times()
    return {
        **({"mode": "off"} if status is None else status.members(sees_all=True)),
        **known(filled=seconds(times.filled_at), reconciled=seconds(times.reconciled_at)),
        "runs": [_encode_run(run) for run in await store.sync_runs(limit=RUNS_MAXIMUM)],
    }


async def _start(read_status: ReadStatus, store: Store, values: Values) -> object:
    kind, with_groups = SyncKind(values.body["kind"]), values.body.get("withGroups", False)
    if with_groups and kind is not SyncKind.FILL:
        raise invalid(problem("withGroups", "true", "Member must be given only with the kind fill"))
    if read_status() is None:
        raise InvalidRequestException("The sync with AWS is off. JOBINDEX_AWS_SYNC=fill or =check turns it on.")
    await store.request_sync(kind, with_groups=with_groups, now=datetime.now(UTC))
    runs = await store.sync_runs(limit=RUNS_MAXIMUM)
    run = next(run for run in runs if run.kind is kind)  # the open one, or it has already ended
    if with_groups and not run.with_groups:
        raise InvalidRequestException(f"Run {run.id} is a fill without thing groups, and has not ended yet.")
    _log.info("Requested a sync: run %d of the kind %s", run.id, kind)
    return _encode_run(run)


async def _list(store: Store, values: Values) -> object:
    limit = values.integer("limit")
    before = values.optional("before")
    found = await store.differences(before=None if before is None else int(before), limit=limit + 1)
    page = found[:limit]
    return {"differences": [_encode(each) for each in page], "next": page[-1].id if found[limit:] else None}


def _encode_run(run: SyncRun) -> dict[str, object]:
    return known(
        id=run.id,
        kind=run.kind,
        jobId=run.job_id or None,
        withGroups=run.with_groups,
        requestedAt=seconds(run.requested_at),
        startedAt=seconds(run.started_at),
        endedAt=seconds(run.ended_at),
        asOf=seconds(run.as_of),
        isComplete=run.is_complete,
        phase=run.phase or None,
        done=run.done,
        total=run.total,
        rows=run.rows,
        calls=run.calls,
        throttled=run.throttled,
        differences=run.differences,
        problems=run.problems,
    )


def _encode(stored: StoredDifference) -> dict[str, object]:
    difference = stored.difference
    return known(
        id=stored.id,
        kind=difference.kind,
        jobId=difference.job_id,
        thingName=difference.thing_name,
        was=difference.was,
        now=difference.now,
        foundAt=seconds(stored.found_at),
        runId=stored.run_id,
        isRepaired=stored.is_repaired,
    )


def served(read_status: ReadStatus) -> StoreServed:
    """Return the operations; `read_status` returns the status of the sync, None if it is off."""
    return (
        (GET_SYNC, partial(_get, read_status)),
        (START_SYNC, partial(_start, read_status)),
        (LIST_DIFFERENCES, _list),
    )
