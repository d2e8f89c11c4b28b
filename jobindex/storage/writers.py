"""The thread or process in which an index is written.

The service writes in a separate process: merging holds the interpreter lock, so reads would wait at every row. A
command has no concurrent reads and writes in a thread.

Work is a module-level function or a `partial` of one, because it is pickled, as are its outcome and its error. If the
process has ended, the next work starts another. The process ends with its parent, even if that is killed.

Not chosen: `multiprocessing`. Its workers outlive a killed parent and keep the file's lock, and it starts another
process only to count semaphores.
"""

import asyncio
import gc
import pickle
import sys
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf
from typing import Any, Generic, TypeVar

from jobindex.durations import SHUTDOWN
from jobindex.errors import DatabaseUnavailableError
from jobindex.storage import writer_process
from jobindex.storage.writer_process import LENGTH_BYTES, Writer

T = TypeVar("T")
W = TypeVar("W", bound=Writer)


class Workplace(ABC, Generic[W]):
    """Runs one piece of work at a time on a writer; after `seconds` it is interrupted, for a retry."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._is_closed = False

    async def run(self, work: Callable[[W], T], /) -> T:
        """Run work on the writer; the awaiting task must not be canceled.

        Raises:
            DatabaseUnavailableError: the process has ended, with unknown outcome, or this is closed.
        """
        async with self._turn:
            if self._is_closed:
                raise DatabaseUnavailableError("The index cannot be written: it is closed")
            cutting = asyncio.get_running_loop().call_later(self._seconds, self._abort)
            try:
                return await self._do(work)
            finally:
                cutting.cancel()

    async def close(self) -> None:
        """Finish or interrupt the current work, and close the connection."""
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN.close_seconds), self._turn:
                pass
        await self._end()

    @abstractmethod
    async def _do(self, work: Callable[[W], T], /) -> T: ...

    @abstractmethod
    def _abort(self) -> None:
        """Interrupt the current work for a retry."""

    @abstractmethod
    async def _end(self) -> None:
        """Interrupt any work and close the connection."""


class WriterThread(Workplace[W]):
    """Runs work in a thread of this process."""

    def __init__(self, make: Callable[[], W], *, seconds: float = inf) -> None:
        super().__init__(seconds)
        self.writer = make()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")

    async def _do(self, work: Callable[[W], T], /) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self.writer)

    def _abort(self) -> None:
        asyncio.get_running_loop().run_in_executor(None, self.writer.abort)

    async def _end(self) -> None:
        if self._turn.locked():
            await asyncio.to_thread(self.writer.end)
        await asyncio.to_thread(self._thread.shutdown)
        self.writer.close()


class WriterProcess(Workplace[W]):
    """Runs work in a separate process, which inherits the open files `kept`."""

    def __init__(self, make: Callable[[], W], *, seconds: float = inf, kept: Collection[int] = ()) -> None:
        super().__init__(seconds)
        self._make = make
        self._kept = kept
        self._process: Process | None = None

    async def _do(self, work: Callable[[W], T], /) -> T:
        asked = pickle.dumps(work, pickle.HIGHEST_PROTOCOL)
        try:
            if self._process is None or self._process.returncode is not None:
                self._process = await self._start()
            answer = await _ask(self._process, asked)
        except (OSError, asyncio.IncompleteReadError) as error:
            status = await self._ended()
            ended = f"cannot be started: {error}" if status is None else f"has ended with status {status}"
            raise DatabaseUnavailableError(f"The index cannot be written: the process that writes {ended}") from error
        outcome, raised, trace = pickle.loads(answer)  # noqa: S301 (from our own process)
        if raised is not None:
            raise raised from _RemoteTraceback(trace)
        done: T = outcome
        return done

    async def _start(self) -> Process:
        # The same import path as here; `-m` would search the current directory first.
        main = f"import sys; sys.path[:] = {sys.path!r}; from {writer_process.__name__} import main; main()"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-c", main, stdin=PIPE, stdout=PIPE, pass_fds=[*self._kept]
        )
        _send(process, pickle.dumps((self._make, gc.get_threshold())))
        return process

    async def _ended(self) -> int | None:
        """Return the exit status; kill the process if it is slow."""
        process, self._process = self._process, None
        if process is None:
            return None
        # Not killed at once: that could hide its own exit status.
        with suppress(TimeoutError):
            return await asyncio.wait_for(process.wait(), SHUTDOWN.end_seconds)
        with suppress(ProcessLookupError):
            process.kill()
        return await process.wait()

    def _abort(self) -> None:
        if self._process is not None:
            _send(self._process, b"")

    async def _end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._ended()


async def done_anyway(work: Coroutine[Any, Any, T]) -> T:
    """Await work that continues if the wait is canceled; its error is then dropped."""
    return await asyncio.shield(started(work))


def started(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start work whose error is not logged if no task awaits it."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def workplace(
    make: Callable[[], W], *, writes_apart: bool, seconds: float = inf, kept: Collection[int] = ()
) -> Workplace[W]:
    """Return a WriterProcess if the writer `writes_apart`, else a WriterThread."""
    return WriterProcess(make, seconds=seconds, kept=kept) if writes_apart else WriterThread(make, seconds=seconds)


class _RemoteTraceback(Exception):
    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _send(process: Process, frame: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    process.stdin.write(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)


async def _ask(process: Process, frame: bytes) -> bytes:
    assert process.stdin is not None  # noqa: S101 (both are pipes)
    assert process.stdout is not None  # noqa: S101
    _send(process, frame)
    await process.stdin.drain()
    return await process.stdout.readexactly(int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "big"))
