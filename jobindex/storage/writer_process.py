"""The writer process (`writers.py`): reads work from standard input and writes outcomes to standard output.

It ignores the signals that stop the service: the service ends it.
"""

import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, BinaryIO, Protocol

LENGTH_BYTES = 8
"""Bytes of the length that precedes each frame; an empty frame requests `abort`."""


class Writer(Protocol):
    """Does work in one thread; `abort` and `end` are called from another."""

    def abort(self) -> None:
        """Interrupt the current work, which may be retried."""

    def end(self) -> None:
        """Interrupt the current work for good."""

    def close(self) -> None:
        """Close the connection."""


class _Desk:
    def __init__(self, make: Callable[[], Writer]) -> None:
        self.make = make
        self.writer: Writer | None = None
        self.frames: SimpleQueue[bytes | None] = SimpleQueue()
        self.is_busy = False


def main() -> None:
    """Work until standard input ends."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    given = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the pipe carries answers only
    first = _read(given)
    if first is None:
        return
    make, thresholds = pickle.loads(first)  # noqa: S301 (from the parent)
    gc.set_threshold(*thresholds)
    desk = _Desk(make)
    threading.Thread(target=_listen, args=(given, desk), daemon=True, name="listener").start()
    while (frame := desk.frames.get()) is not None:
        answer = _done(desk, frame)
        desk.is_busy = False
        answers.write(len(answer).to_bytes(LENGTH_BYTES, "big") + answer)
        answers.flush()
    if desk.writer is not None:
        desk.writer.close()


def _listen(given: BinaryIO, desk: _Desk) -> None:
    while (frame := _read(given)) is not None:
        if frame:
            desk.is_busy = True
            desk.frames.put(frame)
        elif desk.writer is not None:
            desk.writer.abort()
    desk.frames.put(None)
    if desk.is_busy:
        # The parent was killed or stopped waiting.
        if desk.writer is not None:
            desk.writer.end()
        os._exit(1)


def _read(given: BinaryIO) -> bytes | None:
    length = given.read(LENGTH_BYTES)
    return given.read(int.from_bytes(length, "big")) if len(length) == LENGTH_BYTES else None


def _done(desk: _Desk, frame: bytes) -> bytes:
    try:
        work: Callable[[Writer], Any] = pickle.loads(frame)  # noqa: S301 (from the parent)
        desk.writer = desk.writer or desk.make()
        return pickle.dumps((work(desk.writer), None, ""), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 (the parent raises it)
        trace = traceback.format_exc()
        try:
            return pickle.dumps((None, error, trace))
        except Exception:  # noqa: BLE001 (`pickle` does not document its errors)
            return pickle.dumps((None, RuntimeError(repr(error)), trace))
