"""A TCP proxy between the service and its broker, which cuts, stalls and delays on demand."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

_CHUNK = 16384


class Proxy:
    """Forwards connections to a port on loopback; any thread may cause faults, one of each kind at a time."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._broker_port = port
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_refusing = False
        self._delay: float = 0
        self._random = Random(0)
        self._cut: threading.Event | None = None
        self._cut_after = 0
        self._connections: set[asyncio.Task[None]] = set()

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Forward connections while the context is open, in a thread of its own."""
        server = self._loop.run_until_complete(asyncio.start_server(self._pass_on, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(server), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._loop.close()

    def cut(self, seconds: float, *, after: int) -> bool:
        """End a connection inside a packet after `after` bytes; return False if this takes too long."""
        self._cut_after = after
        self._cut = cut = threading.Event()
        done = cut.wait(seconds)
        self._cut = None
        return done or cut.is_set()

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Block all traffic while the context is open, as if every packet were dropped; connections stay open."""
        self._loop.call_soon_threadsafe(self._flowing.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._flowing.set)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """End all connections, including new ones, while the context is open."""
        self._loop.call_soon_threadsafe(self._refuse)
        try:
            yield
        finally:
            self._is_refusing = False

    def _refuse(self) -> None:
        self._is_refusing = True
        for connection in self._connections:
            connection.cancel()

    @contextmanager
    def delaying(self, seconds: float) -> Iterator[None]:
        """Delay all traffic by up to `seconds` while the context is open."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        await server.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with suppress(OSError, asyncio.CancelledError):
            try:
                await self._flowing.wait()
                if self._is_refusing:
                    raise ConnectionAbortedError
                broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
                pumps = [
                    asyncio.create_task(self._pump(reader, broker_writer)),
                    asyncio.create_task(self._pump(broker_reader, writer)),
                ]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.wait(pumps)
                    broker_writer.transport.abort()
            finally:
                writer.transport.abort()
        self._connections.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                if self._delay:
                    await asyncio.sleep(self._random.uniform(0, self._delay))
                self._cut_after -= len(data)
                if (cut := self._cut) is not None and self._cut_after < 0 and len(data) > 1:
                    self._cut = None
                    writer.write(data[: self._random.randrange(1, len(data))])
                    await writer.drain()
                    await asyncio.sleep(0.001)  # otherwise the end could overtake the last write
                    cut.set()
                    return
                writer.write(data)
                await writer.drain()
