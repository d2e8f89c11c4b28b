"""The command line: what each command takes, runs and returns."""

import argparse
import asyncio
import logging
import os
import sys
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from jobindex.addresses import local_url
from jobindex.config import Settings, read_settings, unknown_settings
from jobindex.demo import demo
from jobindex.errors import BackupError, DatabaseRefusedError, DatabaseUnavailableError, ServiceError, SettingsError
from jobindex.logs import set_up_logs
from jobindex.rejected_client import RejectedClient, encode, show_message, show_outcome, show_table
from jobindex.service import serve, stop_on_signals
from jobindex.sqlite.backup import back_up, restore
from jobindex.sqlite.check import check
from jobindex.sqlite.store import migrate

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
        return _dispatch(options, settings)
    except SettingsError as error:
        print(f"jobindex cannot start:\n{error}", file=sys.stderr)  # noqa: T201
        return 2
    except (BackupError, ServiceError) as error:
        print(f"jobindex {options.command}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except (DatabaseRefusedError, DatabaseUnavailableError) as error:
        print(f"jobindex cannot use its database: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _dispatch(options: argparse.Namespace, settings: Settings) -> int:
    match options.command:
        case "serve":
            return asyncio.run(_run(_serve(settings)))
        case "demo":
            return asyncio.run(_run(demo(settings, options.seconds)))
        case "migrate":
            asyncio.run(migrate(settings.database_path))
            print(f"{settings.database_path} is up to date")  # noqa: T201
            return 0
        case "backup":
            size = back_up(settings.database_path, options.file)
            print(f"{options.file}: {size} bytes")  # noqa: T201
            return 0
        case "check":
            return _check(options.file or settings.database_path)
        case "restore":
            return _restore(options.file, settings.database_path)
        case "rejected":
            return _rejected(options, settings)
        case _:
            return _healthcheck(settings)


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
    backup = commands.add_parser(
        "backup",
        help="copy the index to a new file, also while the service runs",
        description="Copy the index, as it is at one moment, to a new FILE. A service may run meanwhile: the "
        "database is only read. FILE gets its name when it is whole and on disk; one "
        "that exists is never overwritten. Prints how many bytes it has; exits with 0, or with 1 and no FILE.",
        epilog="Example: jobindex backup /backups/jobindex-$(date +%F).db",
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="the copy; its folder must have room for it")
    checked = commands.add_parser(
        "check",
        help="tell whether a database is whole and says what it was told",
        description="Read a database, of which nothing is changed, and print a line for each check: its pages and "
        "indexes, its schema, the plan of every ListJobs question (none may read or sort the whole index), and each "
        "table that ListJobs reads against what the messages told. A service may run on it. Exits with 0 when all are "
        "ok, else with 1.",
        epilog="Example: jobindex check /backups/jobindex-2026-11-23.db",
    )
    checked.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: the database of the settings")
    restored = commands.add_parser(
        "restore",
        help="put a backup in place of the database, while no service runs",
        description="Check FILE and put a copy of it in place of the database. The database that was there stays "
        "beside it, under the name that is printed. Refused while a service runs on it. What happened since the backup "
        "is not in it and brokers do not repeat it: the index tells that it is complete only from its next connection.",
        epilog="Example: jobindex restore /backups/jobindex-2026-11-23.db",
    )
    restored.add_argument("file", type=Path, metavar="FILE", help="what `jobindex backup` made")
    _add_rejected(
        commands.add_parser(
            "rejected",
            help="list, show, try again or purge the messages that could not be understood",
            description="The messages that could not be understood, which the running service keeps with their reasons "
            "within its limits. The service is asked over HTTP, at JOBINDEX_HTTP_HOST and JOBINDEX_HTTP_PORT: no other "
            "process writes its database.",
        )
    )
    demonstration = commands.add_parser("demo", help="serve a simulated fleet, with a broker of its own")
    demonstration.add_argument("--seconds", type=float, metavar="N", help="end after N seconds (default: on Ctrl-C)")
    return top


def _add_rejected(rejected: argparse.ArgumentParser) -> None:
    actions = rejected.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser(
        "list",
        help="a line for each message: id, when it was rejected, its bytes, its topic, the reason",
        description="List the rejected messages, oldest first; with --json one JSON object a line.",
    )
    listing.add_argument("--after", type=int, default=0, metavar="ID", help="only those with a greater id")
    shown = actions.add_parser(
        "show",
        help="one message with its payload",
        description="Show a message with its payload, in base64 where it is not UTF-8. Exits with 1 without one.",
    )
    shown.add_argument("id", type=int, metavar="ID", help="as `jobindex rejected list` tells it")
    retried = actions.add_parser(
        "retry",
        help="parse messages again and apply those that are understood now",
        description="Parse messages again, as the version that runs now understands them. What is understood is "
        "applied and leaves the list; the rest stays with its new reason. Late or twice does no harm. "
        "Exits with 0 when all were applied, else with 1.",
        epilog="Example, after an upgrade: jobindex rejected retry --all",
    )
    purged = actions.add_parser(
        "purge",
        help="delete messages for good",
        description="Delete messages for good. Exits with 0 when all that were named were there, else with 1.",
    )
    for action in (retried, purged):
        which = action.add_mutually_exclusive_group(required=True)
        which.add_argument("ids", type=int, nargs="*", default=[], metavar="ID", help="these messages")
        which.add_argument("--all", action="store_true", help="all messages")
    for action in (listing, shown, retried, purged):
        action.add_argument("--json", action="store_true", help="JSON, for programs")


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


def _check(path: Path) -> int:
    is_wrong = False
    for finding in check(path):
        print(finding, flush=True)  # noqa: T201
        is_wrong |= finding.problem is not None
    return int(is_wrong)


def _restore(source: Path, database: Path) -> int:
    former = restore(source, database, now=datetime.now(UTC))
    print(f"{database}: restored from {source}")  # noqa: T201
    if former is not None:
        print(f"{former}: what was there before")  # noqa: T201
    return 0


def _rejected(options: argparse.Namespace, settings: Settings) -> int:
    client = RejectedClient(local_url(settings.http_host, settings.http_port))
    match options.action:
        case "list":
            messages = list(client.messages(options.after))
            for line in map(encode, messages) if options.json else [show_table(messages)]:
                print(line)  # noqa: T201
            return 0
        case "show":
            message = client.message(options.id)
            print(encode(message) if options.json else show_message(message))  # noqa: T201
            return 0
        case "retry":
            outcome = client.retry([message["id"] for message in client.messages(0)] if options.all else options.ids)
        case _:
            outcome = client.purge(None if options.all else options.ids)
    print(encode(outcome) if options.json else show_outcome(outcome))  # noqa: T201
    return int(bool(outcome.get("rejected") or outcome.get("missing")))


def _healthcheck(settings: Settings) -> int:
    url = f"{local_url(settings.http_host, settings.http_port)}/readyz"
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
