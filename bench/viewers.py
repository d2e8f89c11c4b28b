"""Open live pages, like browsers: `python -m bench.viewers URL COUNT`, until it is terminated.

Each viewer subscribes to /index/events. On a change it requests the sections of its page again, as the page's script
does. Half of the viewers show the namespaces, the others different lists of jobs. They do not parse the new sections:
the measurement is their cost to the service.
"""

import asyncio
import random
import re
import sys
from urllib.parse import urlsplit

GAP_SECONDS = 1.0
DELAY_SECONDS = 0.5
JITTER_SECONDS = 0.25

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SECTIONS = re.compile(rb'<\w+[^>]*\bid="([\w-]+)"[^>]*\bdata-live="')


async def main(url: str, count: int) -> None:
    """Keep the pages open."""
    async with asyncio.TaskGroup() as viewers:
        for number in range(count):
            page = "/ui/" if number % 2 else f"/ui/jobs?namespaceId=viewer-{number}"
            viewers.create_task(_view(url, page))


async def _view(url: str, page: str) -> None:
    host = urlsplit(url).netloc
    line, pages = await _connect(url), await _connect(url)
    sections = b",".join(_SECTIONS.findall(await _get(pages, host, page))).decode()
    part = f"{page}{'&' if '?' in page else '?'}fragment={sections}"
    reader, writer = line
    writer.write(f"GET /index/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    print("open", flush=True)
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    told = asyncio.Event()

    async def listen() -> None:
        while True:
            if (await reader.readuntil(b"\n")).startswith(b"event: change"):
                told.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        while True:
            await told.wait()
            told.clear()
            rest = max(DELAY_SECONDS, asked_at + GAP_SECONDS - loop.time())
            await asyncio.sleep(rest + random.random() * JITTER_SECONDS)
            told.clear()
            asked_at = loop.time()
            await _get(pages, host, part)


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(url: str) -> _Connection:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)


async def _get(connection: _Connection, host: str, path: str) -> bytes:
    reader, writer = connection
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is None or not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"{path} is answered with {head!r}")
    return await reader.readexactly(int(length[1]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
