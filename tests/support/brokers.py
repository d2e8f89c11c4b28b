"""Real brokers on loopback, each with its own files."""

import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from jobindex.cli.demo.nats import find_nats_server, free_port
from support.waiting import require, wait_until

Message = tuple[str, str | bytes]


class Broker:
    """A broker process that can be killed and started again on the same port and files."""

    def __init__(self, command: list[str], port: int) -> None:
        self.port = port
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._listens, f"the broker on port {self.port}")

    def kill(self) -> None:
        """End the process as a loss of power would, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the process in order, so that it saves its messages, and wait until it is gone."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        self._process = None

    def send_signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@contextmanager
def mosquitto(directory: Path, *settings: str) -> Iterator[Broker]:
    """Run mosquitto; `settings` are lines of its configuration instead of `allow_anonymous true`."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/sbin")
    require("mosquitto", found=program is not None)
    port = free_port()
    configuration = directory / "mosquitto.conf"
    lines = [
        f"listener {port} 127.0.0.1",
        "persistence true",
        f"persistence_location {directory}/",
        "max_queued_messages 0",
        *(settings or ("allow_anonymous true",)),
    ]
    if directory.owner() == "root":
        lines.append("user root")
    configuration.write_text("\n".join(lines) + "\n")
    yield from _running(Broker([str(program), "-c", str(configuration)], port))


_REFUSING = """\
authorization { users: [{ user: anyone, password: anyone, permissions: { subscribe: { deny: "%s" } } }] }
no_auth_user: anyone
"""


@contextmanager
def nats(directory: Path, *, ack_wait_seconds: int = 2, refused: str | None = None) -> Iterator[Broker]:
    """Run nats-server with its MQTT listener; it rejects subscriptions to the NATS subject `refused`."""
    program = find_nats_server()
    require("nats-server", found=program is not None)
    port = free_port()
    configuration = directory / "nats.conf"
    configuration.write_text(
        f'server_name: test\nlisten: "127.0.0.1:{free_port()}"\n'
        f'jetstream {{ store_dir: "{directory}/jetstream" }}\n'
        f'mqtt {{ listen: "127.0.0.1:{port}", ack_wait: "{ack_wait_seconds}s", max_ack_pending: 1024 }}\n'
        + ("" if refused is None else _REFUSING % refused)
    )
    yield from _running(Broker([str(program), "-c", str(configuration)], port))


def _running(broker: Broker) -> Iterator[Broker]:
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def publish(
    port: int, messages: Iterable[Message], *, qos: int = 1, username: str | None = None, password: str | None = None
) -> None:
    """Publish messages in order, and return once the broker has acknowledged all (QoS 1)."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(100)
    client.username_pw_set(username, password)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert connected.wait(10), "the broker did not answer the publisher"
        sent = [client.publish(topic, payload, qos) for topic, payload in messages]
        for information in sent:
            information.wait_for_publish(30)
            assert information.is_published()
    finally:
        client.disconnect()
        client.loop_stop()
