"""PgBouncer on loopback, in front of a PostgreSQL server."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from jobindex.cli.demo.nats import free_port
from support.waiting import require, wait_until


class Pooler:
    """A PgBouncer process in front of a database's server; `url` is the database's URL through it."""

    def __init__(self, directory: Path, database_url: str, pool_mode: str) -> None:
        self._server = urlsplit(database_url)
        self._port = free_port()
        self._configuration = directory / "pgbouncer.ini"
        self._configure(pool_mode)
        self.url = self._server._replace(netloc=f"{self._server.username}@127.0.0.1:{self._port}").geturl()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, program: str) -> None:
        """Start the process and wait until it listens."""
        command = [program, "--quiet", str(self._configuration)]
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            shutil.chown(self._configuration.parent, "postgres")
            command += ["--user", "postgres"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._listens, "PgBouncer")

    def set_pool_mode(self, pool_mode: str) -> None:
        """Change the mode; connections stay open."""
        assert self._process is not None
        self._configure(pool_mode)
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _configure(self, pool_mode: str) -> None:
        server = self._server
        self._configuration.write_text(
            f"[databases]\n* = host={server.hostname} port={server.port} user={server.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self._port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {pool_mode}\n"
        )

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True


@contextmanager
def pgbouncer(database_url: str, *, pool_mode: str) -> Iterator[Pooler]:
    """Run PgBouncer in front of a database's server; skip the test if it is not installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    require("pgbouncer", found=program is not None)
    with tempfile.TemporaryDirectory(prefix="jobindex-pgbouncer-") as directory:
        pooler = Pooler(Path(directory), database_url, pool_mode)
        try:
            pooler.start(str(program))
            yield pooler
        finally:
            pooler.stop()
