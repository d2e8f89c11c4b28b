"""PostgreSQL as a careful user runs it: durable, with the default settings except for memory."""

import asyncio
import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.processes import running
from bench.waiting import wait_until
from jobindex.cli.demo.nats import free_port
from jobindex.storage.databases import PostgresDatabase
from jobindex.storage.opening import migrate

USER = "jobindex"

_OWN = {"migrations", "session", "subscriptions"}
"""Tables that are not copied."""
_COLUMNS = """
SELECT column_name, data_type
FROM information_schema.columns
WHERE table_schema = current_schema()
AND table_name = %(table)s
ORDER BY ordinal_position
"""
_BYTES = """
SELECT sum(pg_total_relation_size(oid))
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
AND relkind = 'r'
"""
_MEMORY = "shared_buffers=512MB"
_SECONDS = 60


class PostgreSQL:
    """A server on loopback."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Create an empty database, yield its URL and drop it: a leftover is vacuumed during later measurements."""
        with _connected(self.url()) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield self.url(name)
        with _connected(self.url()) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def version(self) -> str:
        """Return the version of the server."""
        with _connected(self.url()) as connection:
            [(version,)] = connection.execute("SHOW server_version").fetchall()
            return str(version)

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        command = [program("pg_isready"), "--quiet", "--timeout=1", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(command, check=False).returncode == 0


@contextmanager
def postgresql(data: Path) -> Iterator[PostgreSQL]:
    """Run an empty server with its files on the disk of `data` while the context is open.

    Raises:
        BenchError: it is not installed, or does not start.
    """
    with tempfile.TemporaryDirectory(prefix="postgresql-", dir=data) as name:
        directory, port = Path(name), free_port()
        if owner := user():
            shutil.chown(directory, owner, owner)
        files, log = directory / "data", directory / "server.log"
        create(files)
        settings = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", _MEMORY)
        command = [program("postgres"), "-D", files, *(f"--{setting}" for setting in settings)]
        with running(command, log, user=user()) as process:
            server = PostgreSQL(port, process.pid)
            wait_until(server.answers, f"PostgreSQL, see {log}", _SECONDS)
            yield server


def fill(url: str, index: Path) -> None:
    """Copy a SQLite index into an empty PostgreSQL database, whose tables have the same names and columns."""
    asyncio.run(migrate(PostgresDatabase(conninfo=url, shown=url)))
    with _connected(url) as connection, closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True)) as source:
        for (table,) in source.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            columns = connection.execute(_COLUMNS, {"table": table}).fetchall()
            if table in _OWN or not columns:
                continue
            names = ", ".join(name for name, _ in columns)
            are_truths = [kind == "boolean" for _, kind in columns]
            with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in source.execute(f"SELECT {names} FROM {table}"):
                    copy.write_row([bool(v) if is_truth else v for v, is_truth in zip(row, are_truths, strict=True)])
        # Otherwise the server would do both by itself at some time during the measurement.
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def size(url: str) -> int:
    """Return the bytes on disk of the tables and their indexes, without the 7 MB of an empty database."""
    with _connected(url) as connection:
        [(count,)] = connection.execute(_BYTES).fetchall()
        return int(count)


def _connected(url: str) -> Any:  # noqa: ANN401
    import psycopg  # noqa: PLC0415 (an extra)

    return psycopg.connect(url, autocommit=True)


def create(files: Path) -> None:
    """Create an empty cluster that sorts text by locale, like most installations, and not by bytes.

    Raises:
        BenchError: `initdb` failed.
    """
    options = ["--username", USER, "--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
    command = [program("initdb"), "--no-sync", "--auth=trust", *options, "--pgdata", files]
    log = files.with_name("initdb.log")
    with running(command, log, user=user()) as process:
        if process.wait(_SECONDS):
            raise BenchError(log.read_text())


def missing() -> str | None:
    """Return why PostgreSQL cannot be measured. None if it can."""
    if programs() is None:
        return "PostgreSQL is not installed"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed: pip install '.[bench]'"
    return None


def programs() -> Path | None:
    """Return the directory of PostgreSQL's programs: the newest of Debian's, otherwise the one on PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(debian, key=lambda path: int(re.sub(r"\D", "", path.parts[-3])), default=None)
    found = newest or shutil.which("postgres")
    return Path(found).parent if found else None


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs.

    Raises:
        BenchError: it is not installed.
    """
    directory = programs()
    if directory is None:
        raise BenchError("PostgreSQL is not installed")
    return str(directory / name)


def user() -> str | None:
    """Return the user that runs PostgreSQL if it is not the current one: PostgreSQL refuses root."""
    return "postgres" if os.geteuid() == 0 else None
