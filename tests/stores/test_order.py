"""The index is a function of the set of messages: no order, repetition or cut into batches shows."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import oracle
from support.message_streams import (
    GROUP_IDS,
    GROUP_NAMES,
    NAMESPACE_IDS,
    Arrival,
    Message,
    arrivals,
    arrivals_of,
    filters,
    in_unit,
    parse,
    streams,
    streams_of,
    times,
)
from support.oracle import JobSummary
from support.shuffles import NOW, Index, opened

from jobindex.errors import ResourceNotFoundException
from jobindex.messages.parsing import parse_message
from jobindex.model.jobs import (
    JobDeletion,
    JobExecutionReport,
    JobReport,
    JobStatus,
    PendingListReport,
    Report,
    ThingGroupReport,
)
from jobindex.model.listing import Filters
from jobindex.storage.sql import retention
from jobindex.storage.sqlite.store import SqliteStore, open_store

pytestmark = pytest.mark.timeout(1800)  # for the long profile


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Open one index for all examples: to open one for each would take most of the time."""
    path: Path = tmp_path_factory.mktemp("order") / "jobindex.db"
    with (
        asyncio.Runner() as runner,
        opened(runner, open_store(path)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(retention, "JOBS_MAXIMUM", 1)  # few jobs are many pages
        connection.execute("PRAGMA synchronous = OFF")  # nothing here need survive a loss of power
        runner.run(_pragma(store, "synchronous = OFF"))
        yield Index(runner, store, connection.execute)


async def _pragma(store: SqliteStore, pragma: str) -> None:
    await store._engine._writer.execute(f"PRAGMA {pragma}")


def _at_once(messages: Sequence[Message]) -> Arrival:
    return Arrival(batches=[parse(messages)])


@given(messages=streams())
def test_both_units_of_time_tell_the_same(messages: list[Message]) -> None:
    """Seconds or milliseconds, with an empty trailing level of the topic or without: a message tells the same."""
    expected, rejected = parse([in_unit(message, 1) for message in messages])
    slashed = [(f"{topic}/", payload) for topic, payload in (in_unit(message, 1000) for message in messages)]
    actual, rejected_too = parse(slashed)
    assert (expected, len(rejected)) == (actual, len(rejected_too))


def _reports(topic: str, payload: Mapping[str, object]) -> tuple[Report, ...]:
    return parse_message(topic, json.dumps(payload).encode())


@given(members=times())
def test_a_stamp_is_the_first_time_present(members: dict[str, int]) -> None:
    """Of the times of a message the first present, in the order of the rules, is its stamp's."""
    told = {name: datetime.fromtimestamp(seconds, UTC) for name, seconds in members.items()}
    stamp = oracle.stamp_time(told)
    own = {name: seconds for name, seconds in members.items() if name != "timestamp"}
    outer = {"timestamp": members.get("timestamp")}
    known = [told[name] for name in own] + ([] if stamp is None else [stamp])
    expected = (stamp, min(known, default=None), max(known, default=None))
    messages: list[tuple[str, dict[str, object]]] = [
        ("$aws/things/thing-1/jobs/job-1/notify-namespace-fleet", {"job": own, **outer}),
        ("$aws/things/thing-1/jobs/job-1/notify-namespace-fleet", {"execution": {"status": "FAILED", **own}, **outer}),
        ("$aws/things/thing-1/jobs/job-1/get/accepted", {"execution": {"status": "QUEUED", **own}, **outer}),
        ("$aws/events/job/job-1/completed", dict(members)),
    ]
    for topic, payload in messages:
        for report in _reports(topic, payload):
            if isinstance(report, JobReport):
                assert expected == (report.time, report.earliest_at, report.latest_at)
            if isinstance(report, JobExecutionReport):
                assert stamp == report.time
    deletion = JobDeletion(job_id="job-1", time=max(told.values(), default=None))
    assert (deletion,) == _reports("$aws/events/job/job-1/deleted", dict(members))


@given(queued=st.integers(0, 12), running=st.integers(0, 12), timestamp=st.sampled_from([None, 1_700_000_000]))
def test_a_list_that_may_be_cut_is_not_complete(queued: int, running: int, timestamp: int | None) -> None:
    """Only a list with a time, and of fewer entries than AWS sends at most, says what is no longer pending."""
    entries = [{"jobId": f"job-{number}"} for number in range(queued + running)]
    jobs = {"QUEUED": entries[:queued], "IN_PROGRESS": entries[queued:]}
    reports = _reports("$aws/things/thing-1/jobs/notify", {"timestamp": timestamp, "jobs": jobs})
    listed_at = None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
    expected = [listed_at] if oracle.is_complete(queued + running, listed_at) else []
    assert expected == [report.listed_at for report in reports if isinstance(report, PendingListReport)]


@given(data=st.data(), messages=streams())
def test_no_order_shows(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """Any order, repetition and cut into batches makes the same rows in every table."""
    expected = index.fill(_at_once(messages))
    assert expected == index.fill(data.draw(arrivals(messages)))


def _expected(reports: Sequence[Report], filters: Filters) -> Sequence[JobSummary] | None:
    try:
        return oracle.list_jobs(reports, filters, now=NOW)
    except ResourceNotFoundException:
        return None


@given(data=st.data(), messages=streams(), filters=filters(), max_results=st.sampled_from([1, 1, 2, 3, 250]))
def test_the_oracle_agrees(
    index: Index, data: st.DataObject, messages: list[Message], filters: Filters, max_results: int
) -> None:
    """However messages arrive, the pages are what the rules say of all of them together."""
    index.fill(data.draw(arrivals(messages)))
    _agree(index, parse(messages)[0], filters, max_results)


def _agree(index: Index, reports: Sequence[Report], filters: Filters, max_results: int) -> None:
    by_names = [Filters(thing_group_name=name) for name in (None, *GROUP_NAMES)]
    by_ids = [Filters(thing_group_id=id_) for id_ in GROUP_IDS]
    by_both = Filters(thing_group_name=GROUP_NAMES[0], thing_group_id=GROUP_IDS[0])
    by_namespaces = [Filters(namespace_id=namespace_id) for namespace_id in NAMESPACE_IDS]
    for one in (*by_names, *by_ids, by_both, *by_namespaces, filters):
        assert _expected(reports, one) == index.pages(one, max_results)
    assert oracle.namespaces(reports) == index.namespaces()
    assert oracle.executions(reports) == index.executions()


@pytest.mark.parametrize("kinds", [("rivals",), ("sightings",), ("ends",), ("groups",)], ids="-".join)
@given(data=st.data(), filters=filters(), max_results=st.sampled_from([1, 1, 2, 3, 250]))
def test_the_oracle_agrees_on(
    index: Index, data: st.DataObject, kinds: Sequence[str], filters: Filters, max_results: int
) -> None:
    """However messages that dwell on one part of the rules arrive, the pages are what the rules say of them."""
    messages = data.draw(streams_of(kinds))
    index.fill(data.draw(arrivals(messages)))
    _agree(index, parse(messages)[0], filters, max_results)


@given(data=st.data(), messages=streams())
def test_arrival_shows_only_where_nothing_is_timed(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """The time at which messages arrive shows in no job of which a message bears a time."""
    reports, _ = parse(messages)
    timed = {report.job_id for report in reports if isinstance(report, JobReport) and report.latest_at is not None}
    index.fill(data.draw(arrivals(messages)), later=timedelta(seconds=1))
    expected = [job for job in oracle.list_jobs(reports, Filters(), now=NOW) if job.job_id in timed]
    assert expected == [job for job in index.pages(Filters(), 250) or () if job.job_id in timed]


@given(data=st.data(), messages=streams_of(["deletion", "sightings"]))
def test_a_deletion_takes_its_executions_along(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """However messages arrive, no execution is kept of which a deletion hides all."""
    index.fill(data.draw(arrivals(messages)))
    assert [] == index.hidden_executions()


# Retention


def _stamp(report: Report) -> datetime | None:
    """Return when a report was told: its stamp's time, or that of the pending list that shows its execution."""
    match report:
        case JobReport() | JobExecutionReport():
            return max((time for time in (report.time, report.pending_at) if time is not None), default=None)
        case JobDeletion():
            return report.time
        case PendingListReport():
            return report.listed_at
        case ThingGroupReport():
            return None


def _job_id(report: Report) -> str | None:
    return None if isinstance(report, PendingListReport | ThingGroupReport) else report.job_id


def _past(reports: Sequence[Report], horizon: datetime) -> set[str]:
    """Return the jobs that are past a horizon, the deleted ones among them."""
    visible = {job.job_id: job for job in oracle.list_jobs(reports, Filters(), now=NOW)}
    past: set[str] = set()
    for job_id in {report.job_id for report in reports if isinstance(report, JobReport | JobDeletion)}:
        told = [report for report in reports if _job_id(report) == job_id]
        times = [report.latest_at for report in told if isinstance(report, JobReport)]
        times += [report.time for report in told if isinstance(report, JobDeletion)]
        seen = [report.pending_at for report in told if isinstance(report, JobReport)]
        last_told = max((time for time in times if time is not None), default=NOW)
        last_seen = max((time for time in seen if time is not None), default=last_told)
        if job_id in visible:
            is_ended = visible[job_id].status not in {JobStatus.SCHEDULED, JobStatus.IN_PROGRESS}
            last_told = visible[job_id].last_updated_at
        else:
            is_ended = True
        if is_ended and max(last_told, last_seen) < horizon:
            past.add(job_id)
    return past


def _horizon(data: st.DataObject, reports: Sequence[Report]) -> datetime:
    """Return one of the times told, or one just after: there it shows on which side a time stands."""
    jobs = [report for report in reports if isinstance(report, JobReport)]
    told = {time for report in jobs for time in (report.latest_at, report.pending_at)}
    told |= {_stamp(report) for report in reports}
    times = sorted(time for time in told if time is not None) or [NOW - timedelta(days=2000)]
    return data.draw(st.sampled_from(times)) + data.draw(st.sampled_from([timedelta(0), timedelta(seconds=1)]))


@given(data=st.data(), messages=streams())
def test_what_is_forgotten_stays_forgotten(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """What was told before the horizon changes nothing when it is told again, in any part, order and repetition."""
    reports, _ = parse(messages)
    horizon = _horizon(data, reports)
    index.fill(data.draw(arrivals(messages)))
    index.retain(horizon)
    assert 0 == index.retain(min(horizon, _horizon(data, reports)))
    expected = index.rows()
    old = [report for report in reports if (stamp := _stamp(report)) is not None and stamp < horizon]
    again = data.draw(st.lists(st.sampled_from(old))) if old else []
    assert expected == index.add(data.draw(arrivals_of(again)))


@given(data=st.data(), messages=streams(), later=streams())
def test_the_oracle_agrees_beyond_the_horizon(
    index: Index, data: st.DataObject, messages: list[Message], later: list[Message]
) -> None:
    """Jobs not past the horizon are as the rules say; of others only what is told from the horizon on, or untimed."""
    _agree_beyond(index, data, messages, later)


@pytest.mark.parametrize("kinds", [("deletion", "rivals"), ("sightings",), ("groups",)], ids="-".join)
@given(data=st.data())
def test_the_oracle_agrees_beyond_the_horizon_on(index: Index, data: st.DataObject, kinds: Sequence[str]) -> None:
    """The same of messages that dwell on one part of the rules."""
    _agree_beyond(index, data, data.draw(streams_of(kinds)), data.draw(streams_of(kinds)))


def _agree_beyond(index: Index, data: st.DataObject, messages: list[Message], later: list[Message]) -> None:
    reports, _ = parse(messages)
    horizon = _horizon(data, reports)
    past = _past(reports, horizon)
    index.fill(data.draw(arrivals(messages)))
    assert len(past) == index.retain(horizon)
    kept = [report for report in reports if _job_id(report) not in past]
    _agree(index, kept, Filters(), 250)

    known = {report.job_id for report in kept if isinstance(report, JobReport | JobDeletion)}
    for report in parse(later)[0]:
        stamp = _stamp(report)
        if _job_id(report) in {None, *known} or stamp is None or stamp >= horizon:
            kept.append(report)
    index.add(data.draw(arrivals(later)))
    _agree(index, kept, Filters(), 250)


@given(data=st.data(), messages=streams(), later=streams())
def test_no_order_shows_beyond_the_horizon(
    index: Index, data: st.DataObject, messages: list[Message], later: list[Message]
) -> None:
    """After the horizon was raised any order, repetition and cut into batches makes the same rows in every table."""
    horizon = _horizon(data, parse(messages)[0])
    index.fill(_at_once(messages))
    index.retain(horizon)
    expected = index.add(_at_once(later))
    index.fill(data.draw(arrivals(messages)))
    index.retain(horizon)
    assert expected == index.add(data.draw(arrivals(later)))


@given(messages=streams())
def test_a_batch_tells_what_its_reports_tell_one_by_one(index: Index, messages: list[Message]) -> None:
    """What is told of a job several times in a batch is merged before it is written: by the same rules."""
    reports, _ = parse(messages)
    expected = index.fill(Arrival(batches=[([report], ()) for report in reports]))
    assert expected == index.fill(Arrival(batches=[(reports, ())]))
