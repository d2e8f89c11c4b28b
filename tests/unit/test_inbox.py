"""What is in hand is bounded, by number and by bytes."""

from datetime import UTC, datetime

import pytest

from jobindex.ingest.inbox import BYTES_IN_HAND_MAXIMUM, IN_HAND_MAXIMUM, Inbox
from jobindex.ingest.publish_channel import Publication
from jobindex.messages.parsing import Parser
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import ServiceState


@pytest.mark.parametrize(
    ("payload", "most"),
    [(b"", IN_HAND_MAXIMUM), (bytes(2**16), BYTES_IN_HAND_MAXIMUM // 2**16)],
    ids=["small", "large"],
)
def test_nothing_is_read_while_too_much_is_in_hand(payload: bytes, most: int) -> None:
    """Reading pauses once so many messages, or so many bytes of them, are in hand, until half of it is written."""
    state = ServiceState()
    inbox = Inbox(Parser(), state, Metrics(state), lambda: datetime.now(UTC))
    calls: list[str] = []
    inbox.pause, inbox.resume = lambda: calls.append("pause"), lambda: calls.append("resume")
    messages = [Publication("other", payload, 1, number) for number in range(1, most + 2)]
    inbox.put(messages[: most - 1])
    assert [] == calls
    inbox.put(messages[most - 1 :])
    assert ["pause"] == calls
    batch = inbox.get(most + 2)
    assert [message.packet_id for message in messages] == [delivery.packet_id for delivery in batch]
    inbox.written(batch[: most // 2 + 1])
    assert ["pause"] == calls
    inbox.written(batch[most // 2 + 1 : most // 2 + 3])
    assert ["pause", "resume"] == calls
