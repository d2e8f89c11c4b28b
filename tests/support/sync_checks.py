"""A check of a served index, with rows as AWS would answer them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobindex.messages.rows import RowOperation, RowSource, read_row
from jobindex.model.jobs import to_milliseconds
from jobindex.model.sync import SyncKind, SyncStep
from support.api_server import Api


def check(api: Api, *job_ids: str, repairs: bool = True) -> None:
    """Run a check that finds jobs CANCELED at AWS."""
    store, now = api.state.opened_store(), datetime.now(UTC)
    api.run(store.request_sync(SyncKind.ALL, now=now))
    run = api.run(store.next_sync())
    assert run is not None
    stamp = (now - timedelta(minutes=2)).timestamp()
    rows = [
        read_row(
            {"jobId": job_id, "status": "CANCELED", "createdAt": stamp - 60, "lastUpdatedAt": stamp},
            RowSource(operation=RowOperation.LIST_JOBS),
            to_milliseconds(now),
            pytest.fail,
        )
        for job_id in job_ids
    ]
    ended = replace(run, started_at=now, ended_at=now, as_of=now, is_complete=True, rows=len(rows), calls=1)
    step = SyncStep(
        run=ended,
        rows=rows,
        compared=frozenset((job_id, "") for job_id in job_ids),
        repairs=repairs,
        reconciled_at=now,
    )
    api.run(store.record_sync(step, now=now))
