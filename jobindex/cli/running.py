"""`jobindex serve`, `demo` and `healthcheck`: the process of the service."""

import asyncio
import logging
import os
import threading
from collections.abc import Coroutine
from typing import Annotated

import typer

from jobindex.cli.direct import UNANSWERED, open_directly
from jobindex.cli.options import local_service
from jobindex.cli.output import note, printable, say
from jobindex.cli.settings import OF_HTTP, load_settings

SERVE_EXAMPLE = "Example: JOBINDEX_MQTT_URL=mqtt://broker.example:1883 jobindex serve"
DEMO_EXAMPLE = "Example: jobindex demo --seconds 60"
HEALTHCHECK_EXAMPLE = "Example: JOBINDEX_HTTP_PORT=8080 jobindex healthcheck"

_THREADS = "jobindex-connect"
_HEALTH_SECONDS = 4


def serve() -> None:
    """Run the service: ingest messages from the broker and answer HTTP requests, until SIGTERM."""
    from jobindex.service import serve, stop_on_signals

    settings = load_settings()

    async def run() -> None:
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        await serve(settings, stopping)

    asyncio.run(_run(run()))


def demo(
    *,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="Stop after N seconds.", show_default="Ctrl-C")
    ] = None,
) -> None:
    """Run the service with a simulated fleet and a broker of its own."""
    from jobindex.cli.demo.run import demo

    asyncio.run(_run(demo(load_settings(), seconds)))


async def _run(command: Coroutine[None, None, None]) -> None:
    """Run a command to its end, even if one of its threads is still waiting."""
    from concurrent.futures import ThreadPoolExecutor

    executor = ThreadPoolExecutor(thread_name_prefix=_THREADS)
    asyncio.get_running_loop().set_default_executor(executor)
    await command
    executor.shutdown(wait=False, cancel_futures=True)
    for _ in range(10):
        if not any(thread.name.startswith(_THREADS) for thread in threading.enumerate()):
            return
        await asyncio.sleep(0.1)
    # A connection attempt without an answer blocks its thread, and Python would wait for that.
    logging.shutdown()
    os._exit(0)


def healthcheck() -> None:
    """Exit with 0 if the service on this machine is ready, otherwise with 1."""
    service = local_service(load_settings(OF_HTTP))
    url = f"{service.url}/readyz"
    try:
        with open_directly(url, seconds=_HEALTH_SECONDS, tls=service.tls) as answer:
            say(printable(answer.read().decode(errors="replace")))
    except UNANSWERED as error:
        note(f"{url}: {error}")
        raise typer.Exit(1) from error
