"""The few MQTT 3.1.1 packets of a publisher, as bytes."""

from collections.abc import Iterator

PACKET_IDS = 65_535
PUBACK_BYTES = 4

_CONNECT, _PUBLISH_QOS_1 = 0x10, 0x32
_CLEAN_SESSION = 0x02


def connect_packet(client_id: str) -> bytes:
    """Return a CONNECT with a clean session and without a keep-alive."""
    return _packet(_CONNECT, _text("MQTT") + bytes((4, _CLEAN_SESSION, 0, 0)) + _text(client_id))


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    """Return a PUBLISH of QoS 1."""
    return _packet(_PUBLISH_QOS_1, _text(topic) + packet_id.to_bytes(2, "big") + payload)


def packet_ends(stream: bytes) -> Iterator[int]:
    """Yield the end of each packet of a stream."""
    start = 0
    while start < len(stream):
        length, shift, at = 0, 0, start + 1
        while True:
            length |= (stream[at] & 0x7F) << shift
            shift += 7
            at += 1
            if stream[at - 1] < 0x80:
                break
        start = at + length
        yield start


def _packet(kind: int, content: bytes) -> bytes:
    length = bytearray()
    left = len(content)
    while True:
        left, digit = divmod(left, 0x80)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes((kind,)) + length + content


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
