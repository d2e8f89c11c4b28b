"""A message whose data the database refuses is rejected, and does not stop later ones.

The parser rejects all data that is known to be refused. The reports here are built by hand, as a defect of the parser
or of the merge could produce them.
"""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.ingestors import ingest
from support.messages import NOW

from jobindex.ingest.inbox import Delivery
from jobindex.model.jobs import JobExecutionStatus
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.model.reports import ExecutionReport, JobReport, Report
from jobindex.model.store import Store
from jobindex.monitoring.state import ServiceState

SECOND = 1_800_000_000
_ROUNDS = count()
_RANDOM_TEXT = "".join(Random(1).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", k=10_000))

BAD: dict[str, Callable[[str, str], Report]] = {
    "number too large": lambda job_id, _: execution(job_id, execution_number=2**70),
    "time too large": lambda job_id, _: JobReport(job_id, time=2**63, earliest_at=1, latest_at=2**63),
    "key too large": lambda job_id, namespace_id: job(job_id + _RANDOM_TEXT, namespace_id),
    "not in UTF-8": lambda job_id, namespace_id: job(job_id, namespace_id, description="\udc80"),
    "NUL": lambda job_id, namespace_id: job(job_id + "\0", namespace_id),
    "of another type": lambda job_id, namespace_id: job(job_id, namespace_id, description=b"bytes"),
}


def job(job_id: str, namespace_id: str, **members: Any) -> JobReport:
    """Return the report of a job."""
    return JobReport(job_id, time=SECOND * 1000, members={"namespace_id": namespace_id, **members})


def execution(job_id: str, *, execution_number: int = 1) -> ExecutionReport:
    """Return the report of a queued execution."""
    return ExecutionReport(
        job_id,
        "thing",
        JobExecutionStatus.QUEUED,
        time=SECOND * 1000,
        heard_at=SECOND,
        queued_at=SECOND,
        execution_number=execution_number,
    )


def delivery(name: str, *reports: Report) -> Delivery:
    """Return a message in flight with these reports."""
    return Delivery(topic=f"$aws/events/job/{name}/completed", payload=b"{}", parsed=reports, qos=1, packet_id=1)


async def job_ids(store: Store, namespace_id: str = "n") -> set[str]:
    """Return the ids of a namespace's jobs."""
    page = await store.list_jobs(ListJobsQuery(max_results=250, filters=Filters(namespace_id=namespace_id)))
    return {summary["jobId"] for summary in orjson.loads(b"[%s]" % page.jobs)}


async def rejected_names(store: Store) -> dict[str, str]:
    """Return the reasons of the rejected messages by the names in their topics."""
    kept = await store.rejected_messages(after=0, limit=250)
    return {message.topic.split("/")[3]: message.reason for message in kept}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from([None, None, *BAD]), max_size=12))
async def test_what_the_database_refuses_is_rejected_alone(store: Store, kinds: list[str | None]) -> None:
    """Each good message is applied; each bad one is rejected, unless the engine can store its data."""
    round_ = next(_ROUNDS)  # all examples share one index
    names = [f"{round_}-{place:02}" for place in range(len(kinds))]
    namespace_id = f"n{round_}"
    batch = [
        delivery(name, job(name, namespace_id) if kind is None else BAD[kind](name, namespace_id))
        for name, kind in zip(names, kinds, strict=True)
    ]
    assert batch == await ingest(store, batch, ServiceState())
    known, rejected = await job_ids(store, namespace_id), await rejected_names(store)
    await store.purge_rejected(None)
    for name, kind in zip(names, kinds, strict=True):
        if kind is None:
            assert name in known
            assert name not in rejected
        else:
            assert (name in rejected) != any(job_id.startswith(name) for job_id in known)


@pytest.mark.parametrize("kind", ["number too large", "not in UTF-8", "of another type"])
async def test_the_reason_is_the_database_s(store: Store, kind: str) -> None:
    """A refused message is rejected with the database's reason, and the others and the next batch are applied."""
    batch = [delivery(name, job(name, "n")) for name in ("a", "b", "c")]
    batch.insert(1, delivery("bad", BAD[kind]("bad", "n")))
    assert batch == await ingest(store, batch, ServiceState())
    assert {"a", "b", "c"} == await job_ids(store)
    [reason] = (await rejected_names(store)).values()
    assert reason.startswith("the database refuses it: ")
    await ingest(store, [delivery("d", job("d", "n"))], ServiceState())
    assert {"a", "b", "c", "d"} == await job_ids(store)


async def test_a_refused_message_that_is_tried_again_stops_no_other(store: Store) -> None:
    """`jobindex rejected retry` applies the good messages, and reports why the others are still rejected."""
    batch = [delivery(name, BAD["not in UTF-8"](name, "n")) for name in ("a", "b", "c")]
    await ingest(store, batch, ServiceState())

    def parse(topic: str, _payload: bytes) -> tuple[Report, ...]:
        name = topic.split("/")[3]
        return (BAD["not in UTF-8"](name, "n") if name == "b" else job(name, "n"),)

    retried = await store.retry_rejected((1, 2, 3, 9), parse, now=NOW)
    assert (1, 3) == retried.applied
    assert (9,) == retried.missing
    assert retried.changed.job_ids is None or {"a", "c"} == retried.changed.job_ids
    [(id_, reason)] = retried.rejected.items()
    assert 2 == id_
    assert "the database refuses it" in reason
    assert {"a", "c"} == await job_ids(store)


async def test_a_refused_row_is_refused_alone(store: Store) -> None:
    """The rows before and behind it count, and the reason is the database's."""
    names = ["a", "b", "c", "d", "e"]
    rows = [(BAD["not in UTF-8"](name, "n") if name in "bd" else job(name, "n"),) for name in names]
    imported = await store.import_rows(rows, now=NOW)
    assert [1, 3] == sorted(imported.refused)
    assert all(reason.startswith("the database refuses it: ") for reason in imported.refused.values())
    assert frozenset({"a", "c", "e"}) == imported.changed.job_ids
    assert {"a", "c", "e"} == await job_ids(store)
    assert {} == await rejected_names(store)
