"""The stream of notifications as a file of MQTT packets, created once and reused until its generator changes."""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from bench.messages import JOBS_PER_THING, MESSAGES_PER_JOB, Message, messages
from bench.packets import PACKET_IDS, publish_packet


def stream_file(data: Path, count: int) -> Path:
    """Return the file of the first `count` packets of a fleet that is large enough."""
    makers = ("messages.py", "packets.py", "streams.py")
    path = data / f"stream-{count}-{digest(Path(__file__).parent / name for name in makers)}.mqtt"
    if not path.exists():
        things = -(-count // (JOBS_PER_THING * MESSAGES_PER_JOB))
        written = path.with_suffix(".part")
        written.write_bytes(b"".join(_packets(islice(messages(things), count))))
        written.rename(path)
    return path


def digest(files: Iterable[Path]) -> str:
    """Return a short digest of the content of files."""
    return blake2b(b"\0".join(file.read_bytes() for file in files), digest_size=5).hexdigest()


def _packets(told: Iterable[Message]) -> Iterable[bytes]:
    return (publish_packet(topic, payload, number % PACKET_IDS + 1) for number, (topic, payload) in enumerate(told))
