"""The bench's own parts: its messages, jobs, questions and figures. Nothing is measured here."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from bench import postgres, postgresql
from bench.chart import draw
from bench.figures import Results, percentile
from bench.jobs import RARE, jobs, reports
from bench.messages import JOBS_PER_THING, MESSAGES_PER_JOB, messages
from bench.packets import connect_packet, packet_ends, publish_packet
from bench.plan import FULL, QUICK
from bench.questions import COMBINATIONS, NAMES, from_the_middle, in_front, label, path, questions
from bench.report import members, table
from bench.site import Site
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import Filters, Position, decode_token
from jobindex.model.parameters import MAX_RESULTS
from jobindex.model.reports import JobReport

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_fleet_tells_the_same_each_time() -> None:
    """The seed determines every message."""
    assert list(messages(3)) == list(messages(3))
    assert list(messages(3)) != list(messages(3, seed=2))


def test_notifications_are_understood_and_of_their_size() -> None:
    """Each message contains a report, and has 250 to 400 bytes with its topic."""
    told = list(messages(20))
    assert 20 * JOBS_PER_THING * MESSAGES_PER_JOB == len(told)
    assert all(Parser().parse_message(topic, payload, to_milliseconds(NOW)) for topic, payload in told)
    sizes = [len(topic) + len(payload) for topic, payload in told]
    assert min(sizes) >= 250
    assert max(sizes) <= 400


def test_jobs_overlap_in_time() -> None:
    """Many messages of other jobs come between the first and the last message of most jobs."""
    seen: dict[str, list[int]] = {}
    for number, (topic, payload) in enumerate(messages(50)):
        for report in Parser().parse_message(topic, payload, to_milliseconds(NOW)):
            if isinstance(report, JobReport):
                seen.setdefault(report.job_id, []).append(number)
    spans = sorted(numbers[-1] - numbers[0] for numbers in seen.values())
    assert 50 * MESSAGES_PER_JOB / 2 < spans[len(spans) // 2]


def test_packets_are_mqtts() -> None:
    """CONNECT and PUBLISH are encoded as in MQTT 3.1.1, and the ends of packets are found in a stream."""
    assert b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01p" == connect_packet("p")
    assert b"\x32\x07\x00\x01t\x01\x02{}" == publish_packet("t", b"{}", 0x102)
    long = publish_packet("t", b" " * 200, 1)
    assert b"\x32\xcd\x01\x00\x01t\x00\x01" == long[:8]
    short = publish_packet("t", b"{}", 2)
    assert [len(long), len(long + short)] == list(packet_ends(long + short))


def test_the_hard_jobs_are_rare() -> None:
    """The values of a side occur together, and values of two sides in five jobs or none, at every size."""
    for size in (1_000, 3_000):
        told = [job.told for job in jobs(size)]
        assert size == len({job.job_id for job in jobs(size)})
        assert RARE == sum(each.namespace_id == "rare" for each in told)
        assert RARE == sum(each.namespace_id == "left" and each.group == "right" for each in told)
        assert not any(each.namespace_id == "left" and each.status == "IN_PROGRESS" for each in told)
        assert 0.25 * size < sum(each.namespace_id == "left" for each in told) < 0.35 * size
    assert list(islice(reports(100), 50)) == list(islice(reports(100), 50))


def test_every_combination_is_asked() -> None:
    """All 32 combinations of the five filters are queried with values for exactly these filters."""
    assert 32 == len({*COMBINATIONS})
    for names in COMBINATIONS:
        assert questions(names)
        for filters in questions(names):
            assert set(names) == {name for name in NAMES if getattr(filters, name) is not None}
    assert "namespaceId status" == label(questions(("namespace_id", "status"))[0])


def test_a_deep_page_is_asked_with_a_token() -> None:
    """The token in a request is the product's own, for the filters of the request."""
    job = next(jobs(1))
    position = Position(created_at=job.created_at, job_id=job.job_id)
    filters = Filters(namespace_id="left")
    token = path(filters, position).removeprefix("/jobs?namespaceId=left&nextToken=")
    assert position == decode_token(token, filters)
    assert "/jobs" == path(Filters())


def test_no_question_is_asked_twice() -> None:
    """Positions before all jobs and in the middle of the index differ, and those in the middle are jobs."""
    told = list(jobs(1_000))
    front, middle = list(islice(in_front(), 50)), list(from_the_middle(1_000, 50))
    assert 100 == len({*front, *middle})
    assert max(job.created_at for job in told) < min(position.created_at for position in front)
    assert [(job.created_at, job.job_id) for job in told[500:550]] == [(at.created_at, at.job_id) for at in middle]


def test_both_engines_are_asked_for_full_pages() -> None:
    """A page from the middle of the smallest index is full, without a filter and with each of three."""
    assert ["no filter", "namespaceId", "status", "thingGroupName"] == [label(filters) for filters in postgres.ASKED]
    older = [job.told for job in islice(jobs(min(FULL.engine_sizes)), min(FULL.engine_sizes) // 2)]
    for filters in postgres.ASKED:
        asked = (filters.namespace_id, filters.status, filters.thing_group_name)
        passing = sum(
            all(
                value in {None, own}
                for value, own in zip(asked, (job.namespace_id, job.status, job.group), strict=True)
            )
            for job in older
        )
        assert MAX_RESULTS < passing


def test_postgresql_is_left_out_where_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table contains the reason, and nothing is measured."""
    monkeypatch.setattr(postgresql, "programs", lambda: None)
    site = Site(plan=QUICK, results=Results(), data=tmp_path, references="python")
    postgres.run(site)
    assert "not measured: postgres: PostgreSQL is not installed" == table(site.results).splitlines()[-1]
    assert [] == list(site.results)


def test_percentiles_are_values() -> None:
    """A percentile is the least value that this share of the values does not exceed."""
    assert 50 == percentile(range(1, 101), 0.5)
    assert 99 == percentile(range(1, 101), 0.99)
    assert 7 == percentile([7], 0.99)


def _results() -> Results:
    results = Results()
    for rate, limit in ((1_000, 4_000), (2_000, 6_000), (3_000, 5_000)):
        results.record("ingest", "jobindex serve", rate, "messages/s", "mosquitto_sub -q 1", "not measured")
        results.record("ingest", "mosquitto_sub -q 1", limit, "messages/s")
    results.record("pages", "first page, 10 jobs", 2, "ms")
    results.record("pages", "first page, 20 jobs", 3, "ms", "first page, 10 jobs")
    results.skip("load: <moto>", "not there")
    return results


def test_figures_are_held_against_their_references() -> None:
    """A ratio compares medians; a reference that was not measured has no ratio."""
    results = _results()
    figure = next(iter(results))
    assert (2_000, {"mosquitto_sub -q 1": 0.4}) == (figure.median, results.ratios(figure))
    lines = table(results).splitlines()
    assert lines[3].split("  ")[-1] == "0.40 of mosquitto_sub -q 1"
    assert lines[-3].endswith("1.50 of 10 jobs")
    assert "not measured: load: <moto>: not there" == lines[-1]


def test_the_chart_is_xml() -> None:
    """Each bar of the chart is as long as its figure's share of the greatest."""
    chart = ET.fromstring(draw({"figures": members(_results())}))
    bars = [bar.attrib for bar in chart.iter("{http://www.w3.org/2000/svg}rect")]
    assert ["other", "own", "own", "own"] == [bar["class"] for bar in bars]
    assert 0.4 == int(bars[1]["width"]) / int(bars[0]["width"])
    assert ET.fromstring(draw({"figures": []})).tag.endswith("svg")
