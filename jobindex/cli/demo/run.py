"""`jobindex demo`: the service with a broker and a simulated fleet, which needs only Python."""

import asyncio
import os
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from jobindex.cli.demo.fleet import NAMESPACES, Fleet
from jobindex.cli.demo.nats import nats_broker
from jobindex.config.settings import Settings
from jobindex.errors import SettingsError
from jobindex.ingest.broker import Broker
from jobindex.ingest.mqtt_client import connect_publisher
from jobindex.monitoring.state import Ingestion, ServiceState
from jobindex.service import serve, stop_on_signals
from jobindex.storage.databases import SqliteDatabase

_ACK_WAIT_SECONDS = 5
_STEP_SECONDS = 0.25

_WELCOME = """\
A simulated Greengrass fleet is running; see it in a browser: {url}/ui/
It uses a broker at {broker}, which admits no other clients; the index is in {database} until the demo ends.
Some of its messages are malformed, and appear among the rejected messages.

Try, in another terminal:

  curl '{url}/jobs?namespaceId={namespace}&maxResults=5'

  AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo {aws} iot list-jobs \\
    --endpoint-url {url} --region {region} --namespace-id {namespace} --status IN_PROGRESS

  {python} -c "
import boto3
iot = boto3.client('iot', '{region}', endpoint_url='{url}', aws_access_key_id='demo', aws_secret_access_key='demo')
for page in iot.get_paginator('list_jobs').paginate(thingGroupName='berlin-line-1'):
    for job in page['jobs']:
        print(job['createdAt'], job['status'], job['jobId'])
"

Press Ctrl-C to end the demo.
"""


async def demo(settings: Settings, seconds: float | None) -> None:
    """Run until a signal, or for a number of seconds.

    Raises:
        SettingsError: nats-server is not installed, the HTTP port is taken, or there are keys.
    """
    if settings.http.keys_path is not None:
        raise SettingsError(["JOBINDEX_HTTP_KEYS_FILE: is set, but the demo does not use keys"])
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    with tempfile.TemporaryDirectory(prefix="jobindex-demo-") as temporary:
        directory = Path(temporary)
        async with nats_broker(directory, ack_wait_seconds=_ACK_WAIT_SECONDS) as (reader, publisher):
            settings = replace(settings, brokers=(reader,), database=SqliteDatabase(path=directory / "jobindex.db"))
            state = ServiceState()
            async with _fleet(settings, publisher, state), _time_limit(stopping, seconds):
                await serve(settings, stopping, state)


def _welcome(settings: Settings, url: str) -> None:
    text = _WELCOME.format(
        url=url,
        broker=settings.brokers[0],
        database=settings.database,
        namespace=NAMESPACES[0],
        region=settings.aws_region,
        aws=_program("aws"),
        python=sys.executable,
    )
    print(text, flush=True)  # noqa: T201


def _program(name: str) -> str:
    beside = Path(sysconfig.get_path("scripts")) / name
    return str(beside) if os.access(beside, os.X_OK) else name


@asynccontextmanager
async def _fleet(settings: Settings, publisher: Broker, state: ServiceState) -> AsyncIterator[None]:
    publishing = asyncio.create_task(_publish(settings, publisher, state), name="fleet")
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.wait((publishing,))


async def _publish(settings: Settings, publisher: Broker, state: ServiceState) -> None:
    # A new session receives no earlier messages.
    while state.ingestion is not Ingestion.CONNECTED:  # noqa: ASYNC110 (the state has no event to wait for)
        await asyncio.sleep(0.05)
    fleet = Fleet(seed=1)
    async with connect_publisher(publisher) as publish:
        for topic, payload in fleet.start(datetime.now(UTC)):
            await publish(topic, payload)
        _welcome(settings, str(state.url))
        while True:
            await asyncio.sleep(_STEP_SECONDS)
            for topic, payload in fleet.step(datetime.now(UTC)):
                await publish(topic, payload)


@asynccontextmanager
async def _time_limit(stopping: asyncio.Event, seconds: float | None) -> AsyncIterator[None]:
    limit = None if seconds is None else asyncio.get_running_loop().call_later(seconds, stopping.set)
    try:
        yield
    finally:
        if limit is not None:
            limit.cancel()
