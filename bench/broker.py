"""mosquitto with unlimited queues."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError
from bench.processes import listens, running
from bench.waiting import wait_until
from jobindex.cli.demo.nats import free_port
from jobindex.messages.topics import DEFAULT_FILTERS

_CONFIGURATION = """
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type subscribe
"""


class Broker:
    """A broker on loopback."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log

    def wait_subscribed(self, client_id: str) -> None:
        """Wait until a client has all of its subscriptions."""
        subscribed = re.compile(rf"^(?:\d+: )?{re.escape(client_id)} 1 \$aws/", re.MULTILINE)
        wait_until(
            lambda: len(subscribed.findall(self._log.read_text())) >= len(DEFAULT_FILTERS),
            f"{client_id} to subscribe",
            15,
        )


@contextmanager
def mosquitto(directory: Path) -> Iterator[Broker]:
    """Run a broker while the context is open.

    Raises:
        BenchError: it is not installed, or does not start.
    """
    port = free_port()
    configuration, log = directory / "mosquitto.conf", directory / "mosquitto.log"
    configuration.write_text(_CONFIGURATION.format(port=port))
    with running([program("mosquitto"), "-c", configuration], log):
        wait_until(lambda: listens(port), "mosquitto", 10)
        yield Broker(port, log)


def program(name: str) -> str:
    """Return the path of a program, which Debian may install outside a user's PATH.

    Raises:
        BenchError: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    if found is None:
        raise BenchError(f"{name} is not installed")
    return found
