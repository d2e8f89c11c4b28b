"""A channel delivers the messages of a connection, however its bytes arrive, and exposes all other bytes."""

import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import pairwise
from select import select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobindex.ingest.publish_channel import PACKET_BYTES, READ_BYTES, Channel, Publication
from jobindex.messages.payloads import MAX_PAYLOAD_BYTES

PINGRESP = b"\xd0\x00"
SUBACK = b"\x90\x03\x00\x01\x01"


def integer(value: int) -> bytes:
    """Return a variable byte integer."""
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + integer(value >> 7)


def packet(first: int, body: bytes) -> bytes:
    """Return a packet."""
    return bytes([first]) + integer(len(body)) + body


def publish(publication: Publication, properties: bytes | None = None) -> bytes:
    """Return the PUBLISH of a message; `properties` are those of MQTT 5."""
    topic = publication.topic.encode()
    packet_id = publication.packet_id.to_bytes(2, "big") if publication.qos else b""
    head = b"" if properties is None else integer(len(properties)) + properties
    body = len(topic).to_bytes(2, "big") + topic + packet_id + head + publication.payload
    return packet(0x30 | publication.qos << 1, body)


def received(pieces: Sequence[bytes], *, has_properties: bool = False) -> tuple[list[Publication], bytes]:
    """Return the messages that a channel delivers from pieces of bytes, and the bytes that it exposes."""
    publications: list[Publication] = []
    shown = b""
    here, there = socket.socketpair()
    with there, closing(Channel(here, publications.extend, has_properties=has_properties)) as channel:
        here.setblocking(False)  # noqa: FBT003 # socket's own
        for piece in pieces:
            there.sendall(piece)
            while channel.pending() or select([here], [], [], 0)[0]:
                with suppress(BlockingIOError):
                    shown += channel.recv(3)
        there.shutdown(socket.SHUT_WR)
        assert channel.recv(3) == b""
    return publications, shown


publications = st.builds(
    Publication,
    topic=st.text(max_size=5),
    payload=st.binary(max_size=5) | st.sampled_from([bytes(120), bytes(300)]),
    qos=st.just(1),
    packet_id=st.integers(1, 65_535),
) | st.builds(
    Publication, topic=st.text(max_size=5), payload=st.binary(max_size=5), qos=st.just(0), packet_id=st.just(0)
)


@given(
    told=st.lists(publications | st.sampled_from([PINGRESP, SUBACK]), max_size=6),
    properties=st.none() | st.binary(max_size=3) | st.just(bytes(200)),
    cuts=st.lists(st.integers(0, 300), max_size=6),
)
def test_messages_are_delivered_however_they_are_cut(
    told: list[Publication | bytes], properties: bytes | None, cuts: list[int]
) -> None:
    """Messages and all other bytes come in order, however the stream is split."""
    whole = b"".join(item if isinstance(item, bytes) else publish(item, properties) for item in told)
    places = [0, *sorted(cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(places) if start < end]
    expected = (
        [item for item in told if isinstance(item, Publication)],
        b"".join(item for item in told if isinstance(item, bytes)),
    )
    assert expected == received(pieces, has_properties=properties is not None)


@pytest.mark.parametrize(
    "bad",
    [
        b"\x32\xff\xff\xff\xff\x01",
        packet(0x32, b"\x00\x05t"),
        packet(0x32, b"\x00\x01t\x00"),
        packet(0x32, b""),
        packet(0x30, b"\x00\x05t"),
        packet(0x34, b"\x00\x01t\x00\x01"),
        packet(0x36, b"\x00\x01t\x00\x01"),
    ],
    ids=["a length without end", "a topic cut", "a packet id cut", "nothing", "a topic of QoS 0 cut", "QoS 2", "QoS 3"],
)
def test_what_is_no_message_is_shown(bad: bytes) -> None:
    """A malformed packet, or one of another QoS, is left to the reader after the messages before it."""
    message = Publication("topic", b"payload", 1, 7)
    assert ([message], bad) == received([publish(message) + bad])


@pytest.mark.parametrize("length", [127, 128, 16_383, 16_384, 100_000])
def test_a_message_may_be_long(length: int) -> None:
    """The length of a message takes as many bytes as it needs, and its bytes may come in several reads."""
    message = Publication("topic", bytes(length), 1, 7)
    assert ([message, message], PINGRESP) == received([publish(message), publish(message) + PINGRESP])


@pytest.mark.parametrize("properties", [None, b"", bytes(200), bytes(2_000_000)])
def test_the_rest_of_a_message_that_is_too_long_is_dropped(properties: bytes | None) -> None:
    """The rest of an oversized message is dropped, and later ones are delivered, even if its properties are long.

    The part that is kept is too long to be accepted.
    """
    long, message = (Publication("topic", b"x" * length, 1, 7) for length in (2_000_000, 10))
    whole = publish(long, properties) + publish(message, properties and b"") + PINGRESP + publish(long, properties)
    pieces = [whole[start : start + 50_000] for start in range(0, len(whole), 50_000)]
    delivered, shown = received(pieces, has_properties=properties is not None)
    filler = b"\0" if properties and len(properties) > PACKET_BYTES else b"x"
    cut = long._replace(payload=filler * (MAX_PAYLOAD_BYTES + 1))
    assert ([cut, message, cut], PINGRESP) == (delivered, shown)


def test_of_a_message_that_is_too_long_little_is_held() -> None:
    """The memory for an oversized message is bounded."""
    here, there = socket.socketpair()
    with there, closing(Channel(here, lambda _: None, has_properties=False)) as channel:
        here.setblocking(False)  # noqa: FBT003 # socket's own
        whole = memoryview(publish(Publication("t", bytes(3_000_000), 1, 1)))
        for start in range(0, len(whole), READ_BYTES):
            there.sendall(whole[start : start + READ_BYTES])
            with pytest.raises(BlockingIOError):
                channel.recv(1)
            assert len(channel._received) <= PACKET_BYTES


def test_a_topic_that_is_not_utf_8_is_delivered() -> None:
    """Bytes of a topic that are not UTF-8 are replaced, and the message is delivered."""
    assert ([Publication("a\ufffd", b"", 0, 0)], b"") == received([packet(0x30, b"\x00\x02a\xff")])


def test_a_read_is_bounded() -> None:
    """A read delivers a bounded number of bytes, however many have arrived."""
    deliveries: list[Sequence[Publication]] = []
    here, there = socket.socketpair()
    with there, closing(Channel(here, deliveries.append, has_properties=False)) as channel:
        here.setblocking(False)  # noqa: FBT003 # socket's own
        there.sendall(publish(Publication("t", bytes(1000), 1, 1)) * 100)
        with pytest.raises(BlockingIOError):
            channel.recv(1)
    assert [READ_BYTES // 1009] == [len(messages) for messages in deliveries]
