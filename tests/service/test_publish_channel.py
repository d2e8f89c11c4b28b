"""A channel delivers the messages of a connection, however its bytes arrive, and shows everything else."""

import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import pairwise
from select import select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobindex.ingest.publish_channel import READ_BYTES, Channel, Publication

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
    """Return what a channel delivers, and what it shows, of bytes that arrive in pieces."""
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
    """The messages, in order, and every other byte, in order, whatever arrives at a time."""
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
    """A packet that is not well-formed, or of another QoS, is left to the reader, and the message before it counts."""
    message = Publication("topic", b"payload", 1, 7)
    assert ([message], bad) == received([publish(message) + bad])


@pytest.mark.parametrize("length", [127, 128, 16_383, 16_384, 100_000])
def test_a_message_may_be_long(length: int) -> None:
    """Its length is told by as many bytes as it needs, and it may come by several reads."""
    message = Publication("topic", bytes(length), 1, 7)
    assert ([message, message], PINGRESP) == received([publish(message), publish(message) + PINGRESP])


def test_a_topic_that_is_not_utf_8_is_delivered() -> None:
    """The bytes that are no text are replaced."""
    assert ([Publication("a\ufffd", b"", 0, 0)], b"") == received([packet(0x30, b"\x00\x02a\xff")])


def test_a_read_is_bounded() -> None:
    """However much has arrived, only so much of it is delivered at a time."""
    deliveries: list[Sequence[Publication]] = []
    here, there = socket.socketpair()
    with there, closing(Channel(here, deliveries.append, has_properties=False)) as channel:
        here.setblocking(False)  # noqa: FBT003 # socket's own
        there.sendall(publish(Publication("t", bytes(1000), 1, 1)) * 100)
        with pytest.raises(BlockingIOError):
            channel.recv(1)
    assert [READ_BYTES // 1009] == [len(messages) for messages in deliveries]
