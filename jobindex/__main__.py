"""The command line: `jobindex serve`, `migrate`, `healthcheck` and `demo`."""

import argparse
import asyncio
import logging
import os
import sys
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from jobindex.addresses import authority
from jobindex.config import Settings, read_settings, unknown_settings
from jobindex.demo import demo
from jobindex.errors import DatabaseRefusedError, DatabaseUnavailableError, SettingsError
from jobindex.logs import set_up_logs
from jobindex.service import serve, stop_on_signals
from jobindex.sqlite import migrate

_THREADS = "jobindex-connect"
_HEALTH_SECONDS = 4

_log = logging.getLogger("jobindex")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 failed, 2 called or set up wrongly."""
    options = parser().parse_args(arguments)
    try:
        settings = read_settings(os.environ, is_terminal=sys.stderr.isatty())
        set_up_logs(settings.log_format, settings.log_level)
        for name in unknown_settings(os.environ):
            _log.warning("%s is no setting of jobindex", name)
        match options.command:
            case "serve":
                return asyncio.run(_run(_serve(settings)))
            case "demo":
                return asyncio.run(_run(demo(settings, options.seconds)))
            case "migrate":
                asyncio.run(migrate(settings.database_path))
                print(f"{settings.database_path} is up to date")  # noqa: T201
                return 0
            case _:
                return _healthcheck(settings)
    except SettingsError as error:
        print(f"jobindex cannot start:\n{error}", file=sys.stderr)  # noqa: T201
        return 2
    except (DatabaseRefusedError, DatabaseUnavailableError) as error:
        print(f"jobindex cannot use its database: {error}", file=sys.stderr)  # noqa: T201
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="jobindex",
        description="An index of AWS IoT jobs, kept from their MQTT notifications, that answers ListJobs.",
        epilog="Settings are environment variables that start with JOBINDEX_; the README lists them.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="receive from the broker and answer HTTP until SIGTERM")
    commands.add_parser("migrate", help="make the database, or bring it to this version's schema, and end")
    commands.add_parser("healthcheck", help="exit with 0 when the service on this machine is ready, else with 1")
    demonstration = commands.add_parser("demo", help="serve a simulated fleet, with a broker of its own")
    demonstration.add_argument("--seconds", type=float, metavar="N", help="end after N seconds (default: on Ctrl-C)")
    return top


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    await serve(settings, stopping)


async def _run(command: Coroutine[None, None, None]) -> int:
    """Run a command to its end, whatever its threads wait for."""
    executor = ThreadPoolExecutor(thread_name_prefix=_THREADS)
    asyncio.get_running_loop().set_default_executor(executor)
    await command
    executor.shutdown(wait=False, cancel_futures=True)
    for _ in range(10):
        if not any(thread.name.startswith(_THREADS) for thread in threading.enumerate()):
            return 0
        await asyncio.sleep(0.1)
    # A connection attempt that nobody answers holds its thread; Python would wait for it.
    logging.shutdown()
    os._exit(0)


def _healthcheck(settings: Settings) -> int:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http_host, settings.http_host)  # noqa: S104
    url = f"http://{authority(host, settings.http_port)}/readyz"
    direct = build_opener(ProxyHandler({}))  # whatever proxy the environment names
    try:
        with direct.open(url, timeout=_HEALTH_SECONDS) as answer:
            print(answer.read().decode())  # noqa: T201
    except (OSError, HTTPException) as error:
        print(f"{url}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
