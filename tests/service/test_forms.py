"""Every topic form, from a broker to ListJobs."""

import json
from collections.abc import Iterator

import pytest
from support.brokers import Broker, mosquitto, publish
from support.services import Service, running
from support.waiting import wait_until

THING = "$aws/things/pump-1/jobs"
NEXT = {"timestamp": 1600000000, "execution": {"jobId": "next", "status": "QUEUED", "queuedAt": 1600000000}}
ACCEPTED = {"timestamp": 1600000000, "execution": {"jobId": "told", "status": "IN_PROGRESS"}}
# Earlier than every job event: after one, AWS would have reported the completion of an ended job.
UPDATED = {"timestamp": 1599999999, "executionState": {"status": "SUCCEEDED", "versionNumber": 2}}
PENDING = {"timestamp": 1600000000, "jobs": {"QUEUED": [{"jobId": "pending", "queuedAt": 1600000000}]}}
EVENT = {"timestamp": 1599999999, "thingArn": "arn:aws:iot:us-east-1:123456789012:thing/pump-1"}

# A topic, its payload, and the job's id, status and namespace.
FORMS = [
    (f"{THING}/job/notify-namespace-acme", {}, "job", "IN_PROGRESS", "acme"),
    (f"{THING}/slash/notify-namespace-acme/", {"status": "CANCELED"}, "slash", "CANCELED", "acme"),
    (f"{THING}/notify", PENDING, "pending", "IN_PROGRESS", None),
    (f"{THING}/notify-namespace-acme", PENDING, "pending", "IN_PROGRESS", "acme"),
    (f"{THING}/notify-namespace-next-namespace-x/", PENDING, "pending", "IN_PROGRESS", "next-namespace-x"),
    (f"{THING}/notify-next", NEXT, "next", "IN_PROGRESS", None),
    (f"{THING}/notify-next-namespace-acme", NEXT, "next", "IN_PROGRESS", "acme"),
    (f"{THING}/told/get/accepted", ACCEPTED, "told", "IN_PROGRESS", None),
    (f"{THING}/$next/get/accepted", ACCEPTED, "told", "IN_PROGRESS", None),
    (f"{THING}/$next/namespace-acme/get/accepted", ACCEPTED, "told", "IN_PROGRESS", "acme"),
    (f"{THING}/told/namespace-acme/get/accepted", ACCEPTED, "told", "IN_PROGRESS", "acme"),
    (f"{THING}/start-next/accepted", ACCEPTED, "told", "IN_PROGRESS", None),
    (f"{THING}/start-next/namespace-acme/accepted", ACCEPTED, "told", "IN_PROGRESS", "acme"),
    (f"{THING}/up/update/accepted", UPDATED, "up", "COMPLETED", None),
    (f"{THING}/up/namespace-acme/update/accepted", UPDATED, "up", "COMPLETED", "acme"),
    ("$aws/events/job/event/completed", {"timestamp": 1600000000}, "event", "COMPLETED", None),
    ("$aws/events/job/event/canceled", {"timestamp": 1600000000}, "event", "CANCELED", None),
    ("$aws/events/job/event/cancellation_in_progress", {"timestamp": 1600000000}, "event", "CANCELED", None),
    ("$aws/events/job/event/deletion_in_progress", {"timestamp": 1600000000}, "event", "DELETION_IN_PROGRESS", None),
    *(
        (f"$aws/events/jobExecution/run/{operation}", EVENT, "run", "COMPLETED", None)
        for operation in ("succeeded", "failed", "rejected", "canceled", "timed_out", "removed")
    ),
    ("$aws/events/jobExecution/run/deleted", EVENT, "run", "IN_PROGRESS", None),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Run one broker for the module."""
    with mosquitto(tmp_path_factory.mktemp("broker")) as running_broker:
        yield running_broker


@pytest.fixture(scope="module")
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one service for the module."""
    url = f"mqtt://127.0.0.1:{broker.port}"
    with running(Service(tmp_path_factory.mktemp("service"), MQTT_URL=url)) as running_service:
        yield running_service


@pytest.mark.parametrize(("number", "form"), list(enumerate(FORMS)))
def test_each_form_has_its_effect_under_its_namespace_alone(
    broker: Broker,
    service: Service,
    number: int,
    form: tuple[str, dict[str, object], str, str, str | None],
) -> None:
    """A job is listed with its status, in its own namespace only, or in none."""
    topic, payload, job_id, status, namespace_id = form
    # Unique names separate this form from the others.
    text = json.dumps(payload).replace(f'"{job_id}"', f'"{job_id}-{number}"')
    own_namespace = f"{namespace_id}-{number}"
    topic = topic.replace(f"/{job_id}/", f"/{job_id}-{number}/").replace("pump-1", f"pump-{number}")
    topic = topic.replace(f"namespace-{namespace_id}", f"namespace-{own_namespace}")
    publish(broker.port, [(topic, text.replace("pump-1", f"pump-{number}"))])
    own_id = f"{job_id}-{number}"
    wait_until(lambda: own_id in service.jobs(), f"the job of {topic}", 5)
    assert status == service.jobs()[own_id]["status"]
    listed = service.jobs(namespaceId=own_namespace)
    assert ({own_id} if namespace_id else set()) == set(listed)
    assert own_id not in service.jobs(namespaceId="other")


def test_a_deleted_job_is_gone(broker: Broker, service: Service) -> None:
    """The `deleted` event removes a job from the list."""
    publish(broker.port, [(f"{THING}/doomed/notify-namespace-acme", '{"timestamp":1600000000}')])
    wait_until(lambda: "doomed" in service.jobs(), "the job")
    publish(broker.port, [("$aws/events/job/doomed/deleted", '{"timestamp":1600000001}')])
    wait_until(lambda: "doomed" not in service.jobs(), "its deletion")


def test_a_group_event_ties_name_and_id(broker: Broker, service: Service) -> None:
    """A job reported with a group's name is found by the id from the group's event."""
    payload = '{"timestamp":1600000000,"thingGroupName":"line-1"}'
    publish(broker.port, [(f"{THING}/grouped/notify-namespace-acme", payload)])
    publish(broker.port, [("$aws/events/thingGroup/line-1/created", '{"thingGroupId":"id-of-line-1"}')])
    wait_until(lambda: service.metric("messages_applied_total") >= 2, "the messages")
    client = service.client()

    def found() -> bool:
        try:
            jobs = client.list_jobs(thingGroupId="id-of-line-1")["jobs"]
        except client.exceptions.ResourceNotFoundException:
            return False
        return [("grouped", "id-of-line-1")] == [(job["jobId"], job["thingGroupId"]) for job in jobs]

    wait_until(found, "the job by the id of its group")
