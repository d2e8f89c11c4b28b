"""Real PostgreSQL servers on loopback, each with its own files, and pairs of servers with replication."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from bench.postgresql import program, programs
from jobindex.cli.demo.nats import free_port
from support.waiting import require, wait_until

USER = "jobindex"

_DATABASE = "jobindex"
_START_SECONDS = 60
_ROOM = 2**30
"""The free bytes that a folder in memory needs for databases."""
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=32MB",
    "dynamic_shared_memory_type=mmap",  # a killed server leaves nothing in /dev/shm
    "synchronous_standby_names=",
)
# A loss of power may corrupt such a server, so nothing kills it.
_FRAGILE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum_naptime=1h")
_REPLICATED = ("synchronous_standby_names=*", "synchronous_commit=on", "wal_sender_timeout=5s")


class Server:
    """A server that can be killed and started again on the same port and files.

    Its files are in a temporary directory of PostgreSQL's user, because PostgreSQL refuses to run as root, and other
    users cannot read pytest's directories.
    """

    def __init__(self, directory: Path, *settings: str) -> None:
        self.port = free_port()
        self._data = directory / "data"
        self._log = directory / "server.log"
        self._settings = (f"port={self.port}", *_SETTINGS, *settings)
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Create the files of an empty cluster, whose text sorts by locale, as in most installations, not by bytes."""
        options = ["--username", USER, "--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
        self._run("initdb", "--no-sync", "--auth=trust", *options, "--pgdata", str(self._data))

    def copy(self, source: "Server") -> None:
        """Replace the files with a copy of another server's, to be its standby."""
        shutil.rmtree(self._data, ignore_errors=True)
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self._run("pg_basebackup", *options, "--dbname", source.url("postgres"), "--pgdata", str(self._data))

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [program("postgres"), "-D", str(self._data), *(f"--{setting}" for setting in self._settings)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._log.parent, **_user())
        answers = wait_until(lambda: self.answers() or not self.is_alive(), "PostgreSQL", _START_SECONDS)
        assert answers, self.log()
        assert self.is_alive(), self.log()

    def kill(self) -> None:
        """End all processes as a loss of power would, and wait until they are gone."""
        if self._process is None:
            return
        pids = self._signal(signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None
        wait_until(lambda: not {*pids} & {pid for pid, _, state in _processes() if state != "Z"}, "its processes' end")

    def stop(self) -> None:
        """End the processes in order, despite connections, and wait until they are gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_START_SECONDS)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspend all processes while the context is open."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)
            if self._process is not None:
                self._process.send_signal(signal.SIGCONT)

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def promote(self) -> None:
        """Promote the standby to primary, and wait until it accepts writes."""
        assert [(True,)] == self.execute("SELECT pg_promote(wait => TRUE)")

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Run a statement outside a transaction; return its rows, if any."""
        return execute(self.url("postgres"), statement)

    def log(self) -> str:
        """Return the end of the server's log."""
        return self._log.read_text()[-3000:] if self._log.exists() else ""

    def _signal(self, number: signal.Signals) -> Sequence[int]:
        """Send a signal to each child of the first process, which is stopped; return their ids."""
        if self._process is None:
            return []
        self._process.send_signal(signal.SIGSTOP)  # so that it starts no more of them
        pids = [pid for pid, parent, _ in _processes() if parent == self._process.pid]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def _run(self, name: str, *arguments: str) -> None:
        command = [program(name), *arguments]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, cwd=self._log.parent, **_user()
        )
        assert ended.returncode == 0, ended.stderr

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        options = ["--quiet", "--timeout=1", "--host=127.0.0.1", f"--port={self.port}", "--username", USER]
        return subprocess.run([program("pg_isready"), *options], check=False).returncode == 0


class Databases:
    """Fresh databases of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._numbers = count(1)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Yield the URL of an empty database, and drop it afterwards despite connections."""
        name = f"test_{next(self._numbers)}"
        self.server.execute(f"CREATE DATABASE {name}")
        try:
            yield self.server.url(name)
        finally:
            self.server.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Pair:
    """A primary and its synchronous standby: a commit is confirmed once both have written it.

    A promoted standby without its own standby answers reads; its commits wait until the other server is rebuilt.
    """

    def __init__(self, primary: Server, standby: Server) -> None:
        self.primary = primary
        self.standby = standby
        ports = ",".join(f"127.0.0.1:{server.port}" for server in (primary, standby))
        self.url = f"postgresql://{USER}@{ports}/{_DATABASE}?target_session_attrs=read-write"

    def start(self) -> None:
        """Create and start both, with an empty database."""
        self.primary.create()
        self.primary.start()
        self.rebuild()
        self.primary.execute(f"CREATE DATABASE {_DATABASE}")

    def kill_primary(self) -> None:
        """End the primary as a loss of power would."""
        self.primary.kill()

    def promote(self) -> None:
        """Promote the standby to primary; the other server must then be rebuilt."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def rebuild(self) -> None:
        """Rebuild the standby from a copy of the primary, and wait until it is synchronous."""
        self.standby.copy(self.primary)
        self.standby.start()
        wait_until(self._is_synchronous, f"the standby\n{self.standby.log()}", _START_SECONDS)

    def _is_synchronous(self) -> bool:
        return self.primary.execute("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'") == [
            ("sync",)
        ]


@contextmanager
def server(*settings: str, directory: Path | None = None) -> Iterator[Server]:
    """Run a server whose commits survive any kill, in a temporary directory or in this one."""
    with _stopped() as stack:
        yield _running(stack, *settings, directory=directory)


@contextmanager
def databases() -> Iterator[Databases]:
    """Run a server for fresh databases that is fast, and must not be killed."""
    with _stopped() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="jobindex-postgresql-", dir=_memory()))
        yield Databases(_running(stack, *_FRAGILE, directory=Path(directory)))


@contextmanager
def pair() -> Iterator[Pair]:
    """Run a primary and a synchronous standby."""
    with _stopped() as stack:
        both = Pair(_server(stack, *_REPLICATED), _server(stack, *_REPLICATED))
        both.start()
        yield both


def execute(url: str, statement: str) -> Sequence[tuple[Any, ...]]:
    """Run a statement outside a transaction; return its rows, if any."""
    import psycopg  # noqa: PLC0415 (conftest.py imports this module, and psycopg may be missing)

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return [] if cursor.description is None else cursor.fetchall()


@contextmanager
def locked(url: str) -> Iterator[bool]:
    """Lock a database's tables against writes while the context is open; yield False if this is impossible."""
    import psycopg  # noqa: PLC0415 (as above)

    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = ", ".join(name for (name,) in rows)
        try:
            connection.execute("SET LOCAL lock_timeout = '5s'")
            connection.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
        except psycopg.Error:  # another session locks them in another order, or there are no tables yet
            connection.rollback()
            yield False
            return
        yield True
        connection.rollback()


@contextmanager
def _stopped() -> Iterator[ExitStack]:
    """Yield a stack that kills servers and deletes their files; skip the test without PostgreSQL."""
    require("postgres", found=programs() is not None and importlib.util.find_spec("psycopg") is not None)
    with ExitStack() as stack:
        yield stack


def _server(stack: ExitStack, *settings: str, directory: Path | None = None) -> Server:
    if directory is None:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jobindex-postgresql-")))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
    made = Server(directory, *settings)
    stack.callback(made.kill)
    return made


def _running(stack: ExitStack, *settings: str, directory: Path | None = None) -> Server:
    made = _server(stack, *settings, directory=directory)
    made.create()
    made.start()
    return made


def _memory() -> Path | None:
    """Return a folder in memory with room for databases: on a disk, ext4 is slow to create many files."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and shutil.disk_usage(shared).free > _ROOM else None


def _user() -> dict[str, Any]:
    """Return the user of PostgreSQL, which refuses root, as arguments of a process."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def _processes() -> list[tuple[int, int, str]]:
    """Return the id, the parent and the state of each process."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=True)
    lines = (line.split() for line in listed.stdout.splitlines())
    return [(int(pid), int(parent), state[:1]) for pid, parent, state in lines]
