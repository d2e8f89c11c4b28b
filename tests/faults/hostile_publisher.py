"""The hostile publisher: a process of its own, so that it does not slow the threads that time the answers.

It publishes at QoS 1 until its standard input is closed, then prints how many messages the broker has acknowledged, and
their bytes.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from faults.hostile_messages import LONGEST, hostile_messages

_UNACKNOWLEDGED_MAXIMUM = 100
_END_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The limits of the hostile publisher per second; the defaults are AWS's limits for a connection."""

    messages: float = 100
    kilobytes: float = 512


USUAL_RATE = Rate()


@dataclass(slots=True)
class Hostile:
    """The result of the process: the messages and bytes that the broker has acknowledged."""

    messages: int = 0
    bytes: int = 0


@contextmanager
def publishing_hostile(port: int, *, seed: int, fleet: Sequence[str], rate: Rate) -> Iterator[Hostile]:
    """Publish while the context is open, and then until every message is acknowledged."""
    arguments = [str(port), str(seed), str(rate.messages), str(rate.kilobytes), *fleet]
    command = ["nice", "-n", "19", sys.executable, "-m", "faults.hostile_publisher", *arguments]
    hostile = Hostile()
    with subprocess.Popen(
        command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield hostile
            counts, _ = process.communicate("", timeout=_END_SECONDS)
            hostile.messages, hostile.bytes = map(int, counts.split())
        finally:
            process.kill()


def main() -> None:
    """Run the publisher."""
    parser = argparse.ArgumentParser()
    for name, kind in (("port", int), ("seed", int), ("messages", float), ("kilobytes", float)):
        parser.add_argument(name, type=kind)
    parser.add_argument("fleet", nargs="*")
    given = parser.parse_args()
    ending = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ending,), daemon=True).start()
    window = threading.Semaphore(_UNACKNOWLEDGED_MAXIMUM)
    client = Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(_UNACKNOWLEDGED_MAXIMUM)
    client.on_publish = lambda *_: window.release()
    client.connect("127.0.0.1", given.port)
    client.loop_start()
    sent, size = 0, 0
    due = time.monotonic()
    for topic, payload in hostile_messages(Random(given.seed), given.fleet):
        if ending.wait(max(0, due - time.monotonic())):
            break
        window.acquire()
        client.publish(topic, payload, 1)
        sent, size = sent + 1, size + len(payload)
        # Time lost to a slow broker is not made up for; a payload over AWS's limit counts as the longest allowed.
        counted = min(len(payload), LONGEST)
        due = max(due, time.monotonic() - 1) + max(1 / given.messages, counted / (given.kilobytes * 1000))
    for _ in range(_UNACKNOWLEDGED_MAXIMUM):
        window.acquire()
    client.disconnect()
    client.loop_stop()
    print(sent, size)  # noqa: T201


def _wait_for_end(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


if __name__ == "__main__":
    main()
