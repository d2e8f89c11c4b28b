"""A service with a small fleet, for the commands that query it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobindex.cli.demo.nats import free_port
from support.brokers import Message, mosquitto, publish
from support.services import Service, running
from support.waiting import wait_until

QUEUED_AT = 1700000000
THING = "$aws/things/{}/jobs"


def _message(topic: str, payload: dict[str, Any]) -> Message:
    return topic, json.dumps(payload)


UPDATE = {
    "job": {
        "status": "IN_PROGRESS",
        "targetSelection": "SNAPSHOT",
        "thingGroupName": "pumps",
        "createdAt": QUEUED_AT,
        "lastUpdatedAt": QUEUED_AT + 5,
    }
}
MESSAGES = [
    _message(f"{THING.format('pump-1')}/update-7/notify-namespace-acme", UPDATE),
    _message(
        f"{THING.format('pump-1')}/notify-namespace-acme",
        {"timestamp": QUEUED_AT + 9, "jobs": {"QUEUED": [{"jobId": "update-7", "queuedAt": QUEUED_AT}]}},
    ),
    _message(
        f"{THING.format('pump-2')}/update-7/get/accepted",
        {"execution": {"status": "SUCCEEDED", "lastUpdatedAt": QUEUED_AT + 7, "executionNumber": 1}},
    ),
    _message(f"{THING.format('pump-2')}/update-8/notify-namespace-acme", {"execution": {"status": "FAILED"}}),
    _message(f"{THING.format('valve-1')}/check-1/notify-namespace-other", {"job": {"status": "CANCELED"}}),
    _message("$aws/events/job/plain-1/completed", {"timestamp": QUEUED_AT}),
]
JOBS = {"update-7", "update-8", "check-1", "plain-1"}


@contextmanager
def served_fleet(directory: Path) -> Iterator[tuple[Service, int]]:
    """Run a service that has applied MESSAGES; yield it, and the port of its broker.

    Its address stays the same after a restart.
    """
    with (
        mosquitto(directory) as broker,
        running(Service(directory, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", HTTP_PORT=str(free_port()))) as service,
    ):
        publish(broker.port, MESSAGES)
        wait_until(lambda: service.metric("messages_applied_total") == len(MESSAGES), "the fleet")
        yield service, broker.port
