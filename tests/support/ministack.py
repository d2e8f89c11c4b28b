"""MiniStack, an emulator of AWS, as a process: IoT Jobs, the devices' data plane, and an MQTT broker with TLS.

MiniStack is independent of jobindex. It is a command from PyPI, without Docker, and pins another botocore, so install
it in a separate environment: `python3 -m venv DIR && DIR/bin/pip install ministack==1.5.33 cryptography` (its broker
needs the latter). JOBINDEX_TEST_MINISTACK names the command if it is neither on PATH nor beside this Python.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import boto3
from botocore.config import Config
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from jobindex.cli.demo.nats import free_port
from jobindex.messages.topics import DEFAULT_FILTERS
from support.waiting import require, wait_until

_BOOT_SECONDS = 60  # about eight on an idle machine


class MiniStack:
    """A MiniStack process that serves only IoT, without persistence, on free loopback ports."""

    def __init__(self, program: str, directory: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.mqtt_port = free_port()
        self.ca_file = directory / "ministack-ca.pem"
        self._log = directory / "ministack.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINISTACK_"))}
        settings = {
            "GATEWAY_PORT": self.url.rpartition(":")[2],
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_PORT": str(self.mqtt_port),
            "SERVICES": "iot,iot-data,iot-jobs-data",
            "TMPDIR": str(directory),
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([program], env=kept | settings, stdout=log, stderr=subprocess.STDOUT)

    def wait_until_it_serves(self) -> None:
        """Wait until the broker listens, and save its CA certificate."""
        wait_until(self._authority, f"MiniStack\n{self._log.read_text()}", _BOOT_SECONDS)
        self.ca_file.write_bytes(self._authority())

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _authority(self) -> bytes:
        assert self._process.poll() is None, self._log.read_text()
        try:
            with urlopen(f"{self.url}/_ministack/iot/ca.pem", timeout=5) as answer:
                authority = bytes(answer.read())
            context = ssl.create_default_context(cadata=authority.decode())
            ssl.get_server_certificate(("127.0.0.1", self.mqtt_port), timeout=5)
        except (OSError, URLError, ssl.SSLError):
            return b""
        assert context.cert_store_stats()["x509_ca"] == 1
        return authority


@contextmanager
def ministack(directory: Path) -> Iterator[MiniStack]:
    """Run MiniStack; skip the test if it is not installed."""
    beside = Path(sys.executable).with_name("ministack")
    program = os.environ.get("JOBINDEX_TEST_MINISTACK") or shutil.which("ministack") or str(beside)
    require("ministack", found=Path(program).is_file())
    running = MiniStack(program, directory)
    try:
        running.wait_until_it_serves()
        yield running
    finally:
        running.stop()


def client(url: str, service: str) -> Any:  # botocore makes the class at run time
    """Return boto3's client of a service of MiniStack or jobindex."""
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


class Recorder:
    """A broker client with its own session, which stores messages in the order of arrival."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []

    def record(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        """Store a message."""
        self.messages.append((message.topic, json.loads(message.payload)))

    def entries(self) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
        """Return each execution's entries in notifications, by job, thing and number, each with its `status`."""
        found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        for topic, payload in self.messages:
            levels = topic.split("/")
            shown = [
                {**entry, "status": status} for status, entries in payload.get("jobs", {}).items() for entry in entries
            ]
            shown += [payload["execution"]] if "execution" in payload else []
            for entry in shown:
                found.setdefault((entry["jobId"], levels[2], entry["executionNumber"]), []).append(entry)
        return found

    def events(self, *levels: str) -> list[dict[str, Any]]:
        """Return the events of a type, and of one job or thing group, such as `("job", "update-7")`."""
        beginning = "/".join(["$aws", "events", *levels, ""])
        return [payload for topic, payload in self.messages if topic.startswith(beginning)]


@contextmanager
def recording(emulator: MiniStack) -> Iterator[Recorder]:
    """Record the messages on the topics to which jobindex subscribes."""
    recorder = Recorder()
    mqtt = Client(CallbackAPIVersion.VERSION2, client_id="recorder", protocol=MQTTv5)
    mqtt.tls_set(str(emulator.ca_file))
    subscribed: list[object] = []
    mqtt.on_subscribe = lambda *answer: subscribed.append(answer)
    mqtt.on_message = recorder.record
    mqtt.connect("127.0.0.1", emulator.mqtt_port)
    mqtt.loop_start()
    try:
        wait_until(mqtt.is_connected, "the recorder's connection")
        mqtt.subscribe([(topic_filter, 1) for topic_filter in DEFAULT_FILTERS])
        wait_until(lambda: subscribed, "the recorder's subscriptions")
        yield recorder
    finally:
        mqtt.disconnect()
        mqtt.loop_stop()
