"""`jobindex rejected` and /rejected: list, show, retry and purge rejected messages."""

import json
import sqlite3
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support.brokers import mosquitto, publish
from support.commands import jobindex
from support.job_pages import summaries
from support.services import Service, running
from support.waiting import wait_until

from jobindex.cli import rejected_client
from jobindex.cli.output import plain_table
from jobindex.cli.rejected_client import COLUMNS, row
from jobindex.errors import ResourceNotFoundException
from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.listing import ListJobsQuery
from jobindex.model.reports import Parsed, RejectedMessage
from jobindex.model.store import Changed, RejectedSummary, Retried, Store, StoredMessage
from jobindex.web.api.operations import LIMIT_MAXIMUM
from jobindex.web.api.rejected import AT_ONCE

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 2, tzinfo=UTC)

TOPIC = "$aws/things/t/jobs/{}/notify-namespace-n"

parse_later = partial(Parser().parse, now=to_milliseconds(LATER))


def rejected(job_id: str, payload: bytes = b"{}", reason: str = "old") -> RejectedMessage:
    """Make a rejected message of a job, as stored by a version that did not understand it."""
    return RejectedMessage(topic=TOPIC.format(job_id), payload=payload, reason=reason)


# The store


async def test_rejected_messages_are_listed_by_pages(store: Store) -> None:
    """Each message is listed once, in the order of rejection, without its payload."""
    await store.apply((), [rejected("a", b"12345"), rejected("b")], now=NOW)
    await store.apply((), [rejected("c")], now=LATER)
    expected = [
        RejectedSummary(id=1, rejected_at=NOW, topic=TOPIC.format("a"), reason="old", payload_bytes=5),
        RejectedSummary(id=2, rejected_at=NOW, topic=TOPIC.format("b"), reason="old", payload_bytes=2),
        RejectedSummary(id=3, rejected_at=LATER, topic=TOPIC.format("c"), reason="old", payload_bytes=2),
    ]
    assert expected[:2] == list(await store.rejected_messages(after=0, limit=2))
    assert expected[2:] == list(await store.rejected_messages(after=2, limit=2))
    assert [] == list(await store.rejected_messages(after=3, limit=2))


async def test_a_rejected_message_is_read_whole(store: Store) -> None:
    """A rejected message is returned as stored, and an unknown id is not found."""
    await store.apply((), [rejected("a", b"\xff")], now=NOW)
    assert StoredMessage(id=1, rejected_at=NOW, message=rejected("a", b"\xff")) == await store.rejected_message(1)
    with pytest.raises(ResourceNotFoundException, match="Rejected message 2 cannot be found"):
        await store.rejected_message(2)


async def test_what_is_understood_now_is_applied_and_the_rest_stays(store: Store) -> None:
    """A retry applies the valid messages, updates the reasons of the others, and reports the changes."""
    await store.apply((), [rejected("a"), rejected("b", b"bad"), rejected("c")], now=NOW)
    retried = await store.retry_rejected([3, 2, 1, 9], parse_later, now=LATER)
    left = await store.rejected_messages(after=0, limit=9)
    assert [2] == [message.id for message in left]
    changed = Changed(job_ids=frozenset("ac"), namespace_ids=frozenset("n"), thing_names=frozenset())
    assert Retried(applied=(1, 3), rejected={2: left[0].reason}, missing=(9,), changed=changed) == retried
    assert left[0].reason != "old"
    assert {"a", "c"} == {job.job_id for job in summaries(await store.list_jobs(ListJobsQuery()))}


async def test_a_retry_that_fails_changes_nothing(store: Store) -> None:
    """A retry is one transaction, of the messages applied and of the list."""
    await store.apply((), [rejected("a"), rejected("b")], now=NOW)

    def parse(topic: str, payload: bytes) -> Parsed:
        if topic == TOPIC.format("b"):
            raise ZeroDivisionError
        return parse_later(topic, payload)

    with pytest.raises(ZeroDivisionError):
        await store.retry_rejected([1, 2], parse, now=LATER)
    assert () == summaries(await store.list_jobs(ListJobsQuery()))
    assert [1, 2] == [message.id for message in await store.rejected_messages(after=0, limit=9)]


async def test_large_messages_are_retried_few_at_a_time(store: Store) -> None:
    """Large messages are retried a few at a time, once each: a hundred would take gigabytes of memory."""
    large = b'{"description": "d"' + b" " * 1_500_000 + b"}"
    await store.apply((), [rejected(job_id, large) for job_id in "abcde"], now=NOW)
    retried: list[str] = []
    transactions: list[int] = []

    def parse(topic: str, payload: bytes) -> Parsed:
        retried.append(topic)
        transactions.append(store.rewrites)
        return parse_later(topic, payload.rstrip(b"} ") + b"}")

    result = await store.retry_rejected([1, 2, 3, 4, 5, 5, 1], parse, now=LATER)
    assert ((1, 2, 3, 4, 5), {}, ()) == (result.applied, result.rejected, result.missing)
    assert [TOPIC.format(job_id) for job_id in "abcde"] == retried
    assert max(Counter(transactions).values()) <= 2


async def test_a_message_that_was_retried_is_kept_again_when_it_is_rejected_again(store: Store) -> None:
    """A message that is rejected again keeps its time and gets the new reason."""
    await store.apply((), [rejected("a")], now=NOW)

    def parse(topic: str, payload: bytes) -> Parsed:
        return RejectedMessage(topic, payload, expected, due_at=to_milliseconds(LATER))

    expected = "field: 'value' is not what it should be"
    assert {1: expected} == (await store.retry_rejected([1], parse, now=LATER)).rejected
    kept = await store.rejected_message(1)
    assert (expected, NOW, LATER) == (kept.message.reason, kept.rejected_at, kept.due_at)
    assert [LATER] == [summary.due_at for summary in await store.rejected_messages(after=0, limit=9)]


async def test_purged_messages_are_gone(store: Store) -> None:
    """A purge deletes the given messages, or all, and returns their number."""
    await store.apply((), [rejected("a"), rejected("b"), rejected("c")], now=NOW)
    assert 1 == await store.purge_rejected([2, 9])
    assert [1, 3] == [message.id for message in await store.rejected_messages(after=0, limit=9)]
    assert 2 == await store.purge_rejected(None)
    assert [] == list(await store.rejected_messages(after=0, limit=9))


# The service and its commands

GOOD, BAD, BINARY = TOPIC.format("good"), TOPIC.format("bad"), TOPIC.format("binary")


@contextmanager
def holding_messages(directory: Path) -> Iterator[Service]:
    """Run a service with a message that an older version rejected, and two that it rejected itself."""
    migrated = jobindex("migrate", DATABASE_URL=f"sqlite:///{directory}/jobindex.db")
    assert migrated.returncode == 0
    with closing(sqlite3.connect(directory / "jobindex.db")) as database, database:
        database.execute(
            "INSERT INTO rejected_messages (digest, rejected_at, topic, payload, reason) VALUES (?, ?, ?, ?, ?)",
            (b"digest", 1767225600123, GOOD, b"{}", "not known to that version"),
        )
    with (
        mosquitto(directory) as broker,
        running(Service(directory, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
    ):
        publish(broker.port, [(BAD, "bad \x1b[31m"), (BINARY, b"\xff")])
        wait_until(lambda: service.metric("messages_rejected_total") == 2, "the rejected messages")
        yield service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run a service with three rejected messages."""
    with holding_messages(tmp_path) as service:
        yield service


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service with three rejected messages, for tests that change none."""
    with holding_messages(tmp_path_factory.mktemp("unchanged")) as service:
        yield service


def command(service: Service, *arguments: object) -> tuple[int, str, str]:
    """Run `jobindex rejected`; return its exit status and its output."""
    ended = jobindex("rejected", *arguments, HTTP_PORT=service.url.rpartition(":")[2])
    return ended.returncode, ended.stdout, ended.stderr


def listed(service: Service) -> list[dict[str, Any]]:
    """Return the messages as `jobindex rejected list --json` prints them."""
    return [json.loads(line) for line in command(service, "list", "--json")[1].splitlines()]


def request(service: Service, method: str, path: str, **headers: str) -> tuple[int, Any, str | None]:
    """Return the status, the body and the error type of an answer."""
    asked = Request(service.url + path, method=method, headers=headers)
    try:
        with urlopen(asked, timeout=10) as answer:
            return answer.status, json.loads(answer.read()), None
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["message"], error.headers["x-amzn-ErrorType"]


def test_messages_are_listed_and_shown(unchanged: Service) -> None:
    """Messages are printed as a table and as JSON, with escaped control characters."""
    status, table, _ = command(unchanged, "list")
    header, first, *others = table.splitlines()
    assert (0, ["ID", "REJECTED", "AT", "BYTES", "TOPIC", "REASON"]) == (status, header.split())
    assert f"1   2026-01-01T00:00:00.123Z  2      {GOOD}    not known to that version" == first
    assert 2 == len(others)
    expected = {
        "id": 1,
        "rejectedAt": 1767225600.123,
        "topic": GOOD,
        "reason": "not known to that version",
        "payloadBytes": 2,
    }
    assert expected == listed(unchanged)[0]
    assert [BAD, BINARY] == [message["topic"] for message in listed(unchanged)[1:]]
    assert 2 == len(command(unchanged, "list", "--after", 2)[1].splitlines())

    assert {**expected, "payload": "e30=", "text": "{}"} == json.loads(command(unchanged, "show", 1, "--json")[1])
    assert command(unchanged, "show", 2)[1].endswith("payload:      9 bytes\n\nbad \\x1b[31m\n")
    assert command(unchanged, "show", 3)[1].endswith("payload:      1 byte\n\nin base64: /w==\n")
    binary = json.loads(command(unchanged, "show", 3, "--json")[1])
    assert (b"\xff", False) == (b64decode(binary["payload"]), "text" in binary)
    assert (1, "", "jobindex rejected: Rejected message 9 cannot be found.\n") == command(unchanged, "show", 9)


def test_a_part_of_the_messages_is_listed(service: Service) -> None:
    """A partial list ends with a note on how to continue; --endpoint overrides the address of the settings."""
    ended = jobindex("rejected", "list", "--limit", 2, "--json", "--endpoint", service.url, HTTP_PORT=1)
    assert [1, 2] == [json.loads(line)["id"] for line in ended.stdout.splitlines()]
    told = "There are more than these 2: raise --limit, or use --after 2.\n"
    assert (0, told) == (ended.returncode, ended.stderr)
    ended = jobindex("rejected", "list", "--limit", 3, "--endpoint", service.url, HTTP_PORT=1)
    assert (4, "") == (len(ended.stdout.splitlines()), ended.stderr)
    for arguments in (("show", 1), ("retry", 1), ("purge", 2)):
        assert 0 == jobindex("rejected", *arguments, "--endpoint", service.url, HTTP_PORT=1).returncode


def test_messages_are_tried_again(service: Service) -> None:
    """A retry applies messages that are valid now, and prints the others with their reasons."""
    assert {} == service.jobs()
    reasons = {message["id"]: message["reason"] for message in listed(service)}
    status, printed, _ = command(service, "retry", "--all")
    expected = f"1 applied, 2 still rejected, 0 not found\n2: {reasons[2]}\n3: {reasons[3]}\n"
    assert (1, expected) == (status, printed)
    assert {"good"} == set(service.jobs())
    assert [2, 3] == [message["id"] for message in listed(service)]

    status, printed, _ = command(service, "retry", 1, 2, "--json")
    outcome = {"applied": [], "rejected": [{"id": 2, "reason": reasons[2]}], "missing": [1]}
    assert (1, outcome) == (status, json.loads(printed))
    assert "Applied 1 rejected messages; 2 are still rejected" in service.log()


def test_one_message_is_tried_again(service: Service) -> None:
    """A retry exits with 0 if all given messages were applied."""
    assert (0, "1 applied, 0 still rejected, 0 not found\n", "") == command(service, "retry", 1)
    assert {"good"} == set(service.jobs())


def test_messages_are_purged(service: Service) -> None:
    """A purge deletes the given messages, or all, and counts those that are not found."""
    assert (1, "1 purged, 1 not found\n", "") == command(service, "purge", 1, 9)
    assert [2, 3] == [message["id"] for message in listed(service)]
    assert (0, {"purged": 2, "missing": 0}) == (
        (ended := command(service, "purge", "--all", "--json"))[0],
        json.loads(ended[1]),
    )
    assert [] == listed(service)
    assert (0, "", "No rejected messages found.\n") == command(service, "list")


def test_a_web_page_cannot_change_anything(service: Service) -> None:
    """Without the header, which a page of another origin cannot send, nothing changes."""
    for method, path in (("POST", "/rejected/retry?id=1"), ("DELETE", "/rejected?all=true")):
        for headers in ({}, {"x-jobindex": "0"}):
            status, message, error = request(service, method, path, **headers)
            assert (403, "AccessDeniedException") == (status, error)
            assert "needs the header x-jobindex: 1" in message
        # A page could send it after DNS rebinding, but its browser adds headers that show a page.
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "same-origin"}):
            status, message, error = request(service, method, path, **{"x-jobindex": "1"}, **headers)
            assert (403, "AccessDeniedException") == (status, error)
            assert "not available to web pages" in message
    preflight = request(service, "OPTIONS", "/rejected", Origin="http://evil.example")
    assert (405, "MethodNotAllowedException") == (preflight[0], preflight[2])
    assert 3 == len(listed(service))
    assert 200 == request(service, "DELETE", "/rejected?all=true", **{"x-jobindex": "1"})[0]


def test_pages_and_requests_that_are_not_valid(unchanged: Service) -> None:
    """A page is bounded and `next` continues it; an invalid request is reported in AWS's form."""
    status, page, _ = request(unchanged, "GET", "/rejected?limit=2")
    assert (200, [1, 2], 2) == (status, [message["id"] for message in page["messages"]], page["next"])
    status, page, _ = request(unchanged, "GET", "/rejected?limit=2&after=2")
    assert (200, [3], None) == (status, [message["id"] for message in page["messages"]], page["next"])
    ids = "&".join(f"id={number}" for number in range(101))
    for method, path, constraint in (
        (
            "GET",
            "/rejected?limit=0",
            "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater",
        ),
        ("GET", "/rejected?limit=1001", "Member must have value less than or equal to 1000"),
        ("GET", "/rejected?after=-1", "Value '-1' at 'after' failed to satisfy constraint: Member must have value"),
        ("GET", "/rejected/first", "Value 'first' at 'id'"),
        ("GET", f"/rejected/{'9' * 30}", "Member must have value less than or equal to 999999999999999999"),
        ("POST", "/rejected/retry", "Value '0' at 'id' failed to satisfy constraint: Member must be given 1 to 100"),
        ("DELETE", "/rejected", "Member must be given 1 to 100 times"),
        ("DELETE", "/rejected?all=true&id=1", "Member must not be given together with id"),
        ("DELETE", f"/rejected?{ids}", "Value '101' at 'id'"),
    ):
        status, message, error = request(unchanged, method, path, **{"x-jobindex": "1"})
        assert (400, "InvalidRequestException") == (status, error)
        assert constraint in message


def test_a_method_that_a_path_has_not_is_refused(unchanged: Service) -> None:
    """An unsupported method gets 405 with the supported ones, and is not taken for another path."""
    for method, path, expected in (
        ("PUT", "/rejected", {"GET", "HEAD", "DELETE"}),
        ("GET", "/rejected/retry", {"POST"}),
        ("DELETE", "/rejected/1", {"GET", "HEAD"}),
    ):
        with pytest.raises(HTTPError) as raised:
            urlopen(Request(unchanged.url + path, method=method), timeout=10)
        assert (405, expected) == (raised.value.code, set(raised.value.headers["allow"].split(", ")))
        raised.value.close()


def test_an_index_that_cannot_be_written_keeps_the_messages(unchanged: Service) -> None:
    """If the index cannot be written, retry and purge fail and change nothing."""
    with closing(sqlite3.connect(unchanged.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        expected = (1, "", "jobindex rejected: The service is temporarily unavailable.\n")
        assert expected == command(unchanged, "retry", 1)
        assert expected == command(unchanged, "purge", 1)
    assert 3 == len(listed(unchanged))


def test_a_message_that_the_database_refuses_stops_no_other(tmp_path: Path) -> None:
    """A message that the database refuses is rejected with its reason; the others are applied."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            with closing(sqlite3.connect(service.database)) as database:
                database.execute("""
                    CREATE TRIGGER refuse BEFORE INSERT ON jobs WHEN NEW.job_id = 'bad'
                    BEGIN SELECT RAISE(ABORT, 'planted'); END
                    """)
            publish(broker.port, [(TOPIC.format(job_id), b"{}") for job_id in ("a", "bad", "b", "bad", "c")])
            wait_until(lambda: {"a", "b", "c"} <= set(service.jobs()), "the jobs behind it")
            [refused] = listed(service)
            assert TOPIC.format("bad") == refused["topic"]
            assert "the database refuses it: planted" == refused["reason"]
            assert 2 == service.metric("messages_refused_total")
            publish(broker.port, [(TOPIC.format("d"), b"{}")])
            wait_until(lambda: "d" in service.jobs(), "a later job")
            with closing(sqlite3.connect(service.database)) as database:
                database.execute("DROP TRIGGER refuse")
            assert 0 == command(service, "retry", "--all")[0]
            assert {"a", "b", "bad", "c", "d"} == set(service.jobs())
        with running(service):
            assert 0 == service.metric("messages_received_total")  # all were acknowledged


def test_a_service_that_does_not_answer_is_told() -> None:
    """If no service answers, the message names the address, and the exit status is 3."""
    ended = jobindex("rejected", "list", HTTP_PORT=1)
    assert (3, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("jobindex rejected: http://127.0.0.1:1: ")
    assert ended.stderr.endswith("is the service running there?\n")


def test_columns_are_as_wide_as_what_they_hold() -> None:
    """A column is as wide as its content, and the last one is not padded."""
    message = {"id": 10000, "rejectedAt": 0, "payloadBytes": 7, "topic": "a\tb", "reason": "why"}
    assert (
        "ID     REJECTED AT               BYTES  TOPIC  REASON\n10000  1970-01-01T00:00:00.000Z  7      a\\tb   why"
    ) == plain_table(COLUMNS, [row(message)])


def test_the_command_asks_for_as_much_as_the_service_gives() -> None:
    """The command's page sizes are those of the service, which it does not import."""
    assert (LIMIT_MAXIMUM, AT_ONCE) == (rejected_client.PAGE, rejected_client.AT_ONCE)
