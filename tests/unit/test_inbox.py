"""In-flight messages are bounded by number and by bytes."""

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from jobindex.ingest.inbox import BATCH_BYTES, BYTES_IN_FLIGHT_MAXIMUM, IN_FLIGHT_MAXIMUM, LONG_BYTES, Inbox
from jobindex.ingest.publish_channel import Publication
from jobindex.messages.parsing import Parser
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState


@pytest.mark.parametrize(
    ("topic", "payload", "most"),
    [
        ("other", b"", IN_FLIGHT_MAXIMUM),
        ("t", bytes(2**16 - 1), BYTES_IN_FLIGHT_MAXIMUM // 2**16),
        ("t" * 2**15, b"", BYTES_IN_FLIGHT_MAXIMUM // 2**15),
    ],
    ids=["small", "long payloads", "long topics"],
)
async def test_nothing_is_read_while_too_much_is_in_hand(topic: str, payload: bytes, most: int) -> None:
    """Reading pauses at the limit of in-flight messages or bytes, and resumes when half of them are written."""
    state = ServiceState()
    inbox = Inbox(Parser(), state, Metrics(state), lambda: datetime.now(UTC))
    calls: list[str] = []
    inbox.pause, inbox.resume = lambda: calls.append("pause"), lambda: calls.append("resume")
    messages = [Publication(topic, payload, 1, number) for number in range(1, most + 2)]
    inbox.put(messages[: most - 1])
    assert [] == calls
    inbox.put(messages[most - 1 :])
    assert ["pause"] == calls
    batch = []
    while part := await inbox.get(most + 2):
        batch += part
    assert [message.packet_id for message in messages] == [delivery.packet_id for delivery in batch]
    inbox.written(batch[: most // 2 + 1])
    assert ["pause"] == calls
    inbox.written(batch[most // 2 + 1 : most // 2 + 3])
    assert ["pause", "resume"] == calls


async def test_a_long_payload_is_parsed_in_a_thread() -> None:
    """The event loop stays responsive meanwhile, and the order of arrival is kept."""
    threads: list[threading.Thread] = []
    parser = Parser(note=lambda _: threads.append(threading.current_thread()))
    state = ServiceState()
    inbox = Inbox(parser, state, Metrics(state), lambda: datetime.now(UTC))
    topic = "$aws/things/t/jobs/j/notify-namespace-n"
    short, long = (
        json.dumps({"execution": {"status": "QUEUED", "statusDetails": ["x" * size]}}).encode()
        for size in (1, LONG_BYTES)
    )
    payloads = [short, long, short]
    inbox.put([Publication(topic, payload, 1, number) for number, payload in enumerate(payloads, start=1)])
    assert [threading.main_thread()] * 2 == threads
    batch = await inbox.get(3)
    assert [(1, short), (2, long)] == [(one.packet_id, one.payload) for one in batch]
    assert threading.main_thread() not in threads[2:]
    batch += await inbox.get(3)
    assert [1, 2, 3] == [one.packet_id for one in batch]
    assert batch[0].parsed == batch[1].parsed == batch[2].parsed


async def test_a_batch_is_bounded_in_bytes() -> None:
    """A batch has up to a mebibyte of payloads, in the order of arrival, and ends after a long payload."""
    size, long = LONG_BYTES, LONG_BYTES + 1
    count = BATCH_BYTES // size
    numbers = [*range(1, count + 5)]
    assert [numbers[:count], numbers[count:]] == await _batches([bytes(size)] * (count + 4))
    assert [[1, 2], [3], [4]] == await _batches([b"", bytes(long), bytes(long), b""])


async def test_a_batch_is_bounded_in_reports() -> None:
    """A list of a hundred entries counts as two reports for each entry and one for itself."""
    entries = [{"jobId": f"j{number}", "queuedAt": 10} for number in range(100)]
    payload = json.dumps({"timestamp": 20, "jobs": {"QUEUED": entries}}).encode()
    assert len(payload) < LONG_BYTES
    batches = await _batches([payload] * 60, "$aws/things/t/jobs/notify")
    assert [50, 10] == [len(batch) for batch in batches]


async def _batches(payloads: Sequence[bytes], topic: str = "t") -> list[list[int]]:
    state = ServiceState()
    inbox = Inbox(Parser(), state, Metrics(state), lambda: datetime.now(UTC))
    inbox.put([Publication(topic, payload, 1, number) for number, payload in enumerate(payloads, start=1)])
    batches = []
    while batch := await inbox.get(5000):
        batches.append([delivery.packet_id for delivery in batch])
    return batches
