"""The index is a function of the set of messages: order, repetition and batches have no effect."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.message_streams import (
    GROUP_IDS,
    GROUP_NAMES,
    NAMESPACE_IDS,
    Arrival,
    Message,
    arrivals,
    arrivals_of,
    in_unit,
    parse,
    streams,
    streams_of,
    times,
)
from support.messages import parsed
from support.pure_answers import pure_executions, pure_jobs, pure_namespaces
from support.pure_index import PureIndex
from support.shuffles import NOW, Index, opened
from support.writers import writer_of

from jobindex.model.job_status import JobView
from jobindex.model.jobs import from_milliseconds, to_milliseconds
from jobindex.model.listing import Filters
from jobindex.model.reports import (
    UNTIMED,
    ExecutionReport,
    JobDeletion,
    JobReport,
    PendingListReport,
    Report,
    ThingGroupReport,
)
from jobindex.storage.sql import retention
from jobindex.storage.sqlite.check import check
from jobindex.storage.sqlite.store import open_store

pytestmark = pytest.mark.timeout(1800)  # for the long profile


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the index."""
    return tmp_path_factory.mktemp("order") / "jobindex.db"


@pytest.fixture(scope="module")
def index(path: Path) -> Iterator[Index]:
    """Open one index for all examples, because opening one for each would take most of the time."""
    with (
        asyncio.Runner() as runner,
        opened(runner, open_store(path)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(retention, "JOBS_MAXIMUM", 1)  # few jobs fill many pages
        connection.execute("PRAGMA synchronous = OFF")  # durability does not matter here
        writer_of(store).connection.execute("PRAGMA synchronous = OFF")
        yield Index(runner, store, connection.execute)


def _at_once(messages: Sequence[Message]) -> Arrival:
    return Arrival(batches=[parse(messages)])


@given(messages=streams())
def test_both_units_of_time_tell_the_same(messages: list[Message]) -> None:
    """Seconds and milliseconds have the same meaning, with or without a slash at the end of the topic."""
    expected, rejected = parse([in_unit(message, 1) for message in messages])
    slashed = [(f"{topic}/", payload) for topic, payload in (in_unit(message, 1000) for message in messages)]
    actual, rejected_too = parse(slashed)
    assert (expected, len(rejected)) == (actual, len(rejected_too))


ORDER = ("lastUpdatedAt", "timestamp", "completedAt", "startedAt", "queuedAt", "createdAt")


@given(members=times())
def test_a_stamp_is_the_first_time_present(members: dict[str, int]) -> None:
    """The stamp of a message is its first time, in the order of the rules."""
    stamp = next((members[name] * 1000 for name in ORDER if name in members), UNTIMED)
    own = {name: seconds for name, seconds in members.items() if name != "timestamp"}
    outer = {"timestamp": members.get("timestamp")}
    known = [seconds * 1000 for seconds in own.values()] + ([] if stamp == UNTIMED else [stamp])
    expected = (stamp, min(known, default=UNTIMED), max(known, default=UNTIMED))
    messages: list[tuple[str, Mapping[str, object]]] = [
        ("$aws/things/thing-1/jobs/job-1/notify-namespace-fleet", {"job": own, **outer}),
        ("$aws/things/thing-1/jobs/job-1/notify-namespace-fleet", {"execution": {"status": "FAILED", **own}, **outer}),
        ("$aws/things/thing-1/jobs/job-1/get/accepted", {"execution": {"status": "QUEUED", **own}, **outer}),
        ("$aws/events/job/job-1/completed", members),
    ]
    for message in messages:
        for report in parsed(message):
            if isinstance(report, JobReport):
                assert expected == (report.time, report.earliest_at, report.latest_at)
            if isinstance(report, ExecutionReport):
                assert (stamp, members.get("timestamp", stamp // 1000)) == (report.time, report.heard_at)


@given(queued=st.integers(0, 12), running=st.integers(0, 12), timestamp=st.sampled_from([None, 1_700_000_000]))
def test_a_list_that_may_be_cut_is_not_complete(queued: int, running: int, timestamp: int | None) -> None:
    """A list is complete only if it has a time and fewer entries than AWS's maximum."""
    entries = [{"jobId": f"job-{number}"} for number in range(queued + running)]
    jobs = {"QUEUED": entries[:queued], "IN_PROGRESS": entries[queued:]}
    reports = parsed(("$aws/things/thing-1/jobs/notify", {"timestamp": timestamp, "jobs": jobs}))
    last_entry = None if queued + running < 10 else (queued > 0, UNTIMED)
    expected = [] if timestamp is None else [(timestamp, last_entry)]
    lists = [report for report in reports if isinstance(report, PendingListReport)]
    assert expected == [(report.listed_at, report.last_entry) for report in lists]


@given(data=st.data(), messages=streams())
def test_no_order_shows(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """Any order, repetition and batches of the messages produce the same rows."""
    expected = index.fill(_at_once(messages))
    assert expected == index.fill(data.draw(arrivals(messages)))


@given(data=st.data(), messages=streams())
def test_the_pure_core_agrees(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """The index agrees with the pure core, however messages arrive."""
    index.fill(data.draw(arrivals(messages)))
    _agree(index, parse(messages)[0])


def _agree(index: Index, reports: Sequence[Report]) -> None:
    pure = PureIndex()
    pure.merge(reports, to_milliseconds(NOW))
    jobs, executions = pure.view(to_milliseconds(NOW))
    assert pure_jobs(jobs, executions) == index.jobs()
    assert pure_executions(executions, jobs) == index.executions()
    assert pure_namespaces(jobs, executions) == index.namespaces()
    _agree_on_filters(index, jobs, reports)


def _agree_on_filters(index: Index, jobs: Mapping[str, JobView], reports: Sequence[Report]) -> None:
    """Compare pages with the groups, namespaces and statuses of the jobs."""
    ties = {(one.thing_group_name, one.thing_group_id) for one in reports if isinstance(one, ThingGroupReport)}
    for name in GROUP_NAMES:
        ids = {id_ for tied, id_ in ties if tied == name and id_ is not None}
        wanted = {f"name:{name}", *(f"id:{id_}" for id_ in ids)}
        is_known = name in {tied for tied, _ in ties}
        assert _with_groups(jobs, wanted, is_known=is_known) == _ids(index, Filters(thing_group_name=name))
    for id_ in GROUP_IDS:
        names = {name for name, tied in ties if tied == id_ and name is not None}
        wanted = {f"id:{id_}", *(f"name:{name}" for name in names)}
        is_known = id_ in {tied for _, tied in ties}
        assert _with_groups(jobs, wanted, is_known=is_known) == _ids(index, Filters(thing_group_id=id_))
    for namespace_id in NAMESPACE_IDS:
        expected = {job_id for job_id, job in jobs.items() if job.namespace_id == namespace_id}
        assert expected == _ids(index, Filters(namespace_id=namespace_id))
    for status in {job.status for job in jobs.values()}:
        expected = {job_id for job_id, job in jobs.items() if job.status == status}
        assert expected == _ids(index, Filters(status=status))


def _with_groups(jobs: Mapping[str, JobView], wanted: set[str], *, is_known: bool) -> set[str] | None:
    return {job_id for job_id, job in jobs.items() if wanted & {*job.groups}} if is_known else None


def _ids(index: Index, filters: Filters) -> set[str] | None:
    found = index.pages(filters, 2)
    return None if found is None else {job.job_id for job in found}


@pytest.mark.parametrize("kinds", [("rivals",), ("sightings",), ("ends",), ("groups",)], ids="-".join)
@given(data=st.data())
def test_the_pure_core_agrees_on(index: Index, data: st.DataObject, kinds: Sequence[str]) -> None:
    """The index agrees with the pure core on messages for one part of the rules."""
    messages = data.draw(streams_of(kinds))
    index.fill(data.draw(arrivals(messages)))
    _agree(index, parse(messages)[0])


@settings(max_examples=max(10, settings().max_examples // 4))
@given(data=st.data(), messages=streams())
def test_the_check_finds_nothing(index: Index, path: Path, data: st.DataObject, messages: list[Message]) -> None:
    """Derived state and counts pass the check, however messages arrive."""
    index.fill(data.draw(arrivals(messages)))
    assert [] == [str(finding) for finding in check(path) if finding.problem]


@given(data=st.data(), messages=streams())
def test_arrival_shows_only_where_nothing_is_timed(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """Arrival times do not affect jobs that have a time in a message."""
    reports, _ = parse(messages)
    pure = PureIndex()
    pure.merge(reports, to_milliseconds(NOW))
    views, executions = pure.view(to_milliseconds(NOW))
    timed = {job_id for job_id, job in views.items() if job.is_timed and pure.jobs[job_id].earliest_at > UNTIMED}
    index.fill(data.draw(arrivals(messages)), later=timedelta(seconds=1))
    expected = {job_id: job for job_id, job in pure_jobs(views, executions).items() if job_id in timed}
    assert expected == {job_id: job for job_id, job in index.jobs().items() if job_id in timed}


# Retention


def _is_before(report: Report, horizon: int) -> bool:
    """Return whether a report is stamped and heard before a horizon in milliseconds."""
    match report:
        case JobReport() | JobDeletion():
            return UNTIMED < report.time < horizon
        case ExecutionReport():
            return UNTIMED < max(report.time, report.heard_at * 1000) < horizon
        case PendingListReport():
            return report.listed_at * 1000 < horizon
        case ThingGroupReport():
            return False


def _horizon(data: st.DataObject, reports: Sequence[Report]) -> datetime:
    """Return a reported time or one second later, so that times fall on both sides of the horizon."""
    jobs = [report for report in reports if isinstance(report, JobReport | JobDeletion)]
    told = {report.time for report in jobs} | {one.latest_at for one in jobs if isinstance(one, JobReport)}
    known = sorted(told - {UNTIMED}) or [to_milliseconds(NOW - timedelta(days=2000))]
    return from_milliseconds(data.draw(st.sampled_from(known)) + data.draw(st.sampled_from([0, 1000])))


@given(data=st.data(), messages=streams())
def test_what_is_deleted_stays_deleted(index: Index, data: st.DataObject, messages: list[Message]) -> None:
    """Messages from before the horizon change nothing after retention, in any order and repetition."""
    reports, _ = parse(messages)
    horizon = _horizon(data, reports)
    index.fill(data.draw(arrivals(messages)))
    index.retain(horizon)
    assert 0 == index.retain(min(horizon, _horizon(data, reports)))
    expected = index.rows()
    old = [report for report in reports if _is_before(report, to_milliseconds(horizon))]
    again = data.draw(st.lists(st.sampled_from(old))) if old else []
    assert expected == index.add(data.draw(arrivals_of(again)))


@given(data=st.data(), messages=streams(), later=streams())
def test_no_order_shows_beyond_the_horizon(
    index: Index, data: st.DataObject, messages: list[Message], later: list[Message]
) -> None:
    """After retention, any order of later messages produces the same rows."""
    reports, _ = parse(messages)
    horizon = _horizon(data, reports)
    since = [report for report in parse(later)[0] if not _is_before(report, to_milliseconds(horizon))]
    index.fill(_at_once(messages))
    index.retain(horizon)
    expected = index.add(Arrival(batches=[(since, ())]))
    index.fill(data.draw(arrivals(messages)))
    index.retain(horizon)
    assert expected == index.add(data.draw(arrivals_of(since)))


@given(messages=streams())
def test_a_batch_says_what_its_reports_say_one_by_one(index: Index, messages: list[Message]) -> None:
    """A batch produces the same rows as its reports one by one."""
    reports, _ = parse(messages)
    expected = index.fill(Arrival(batches=[([report], ()) for report in reports]))
    assert expected == index.fill(Arrival(batches=[(reports, ())]))
