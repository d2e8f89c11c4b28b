"""The simulated fleet publishes messages that the index understands."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from jobindex.cli.demo.fleet import GROUPS, NAMESPACES, Fleet, Message
from jobindex.messages.parsing import Parser
from jobindex.messages.topics import parse_topic
from jobindex.model.jobs import to_milliseconds
from jobindex.model.reports import (
    ExecutionReport,
    JobDeletion,
    JobReport,
    PendingListReport,
    RejectedMessage,
    Report,
    ThingGroupReport,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def simulate(steps: int) -> list[Message]:
    """Return the messages of a fleet's start and of a number of steps, a second apart."""
    fleet = Fleet(seed=1)
    messages = list(fleet.start(START))
    for step in range(steps):
        messages += fleet.step(START + timedelta(seconds=step))
    return messages


def test_a_fleet_tells_everything_that_a_fleet_tells() -> None:
    """Every kind of report, topic and namespace occurs, and a few messages are malformed."""
    reports: Counter[type[Report]] = Counter()
    namespaces = set()
    malformed = 0
    messages = simulate(600)
    for topic, payload in messages:
        told = Parser().parse(topic, payload, to_milliseconds(START + timedelta(hours=1)))
        if isinstance(told, RejectedMessage):
            malformed += 1
            continue
        reports.update(map(type, told))
        namespaces |= {report.members.get("namespace_id") for report in told if isinstance(report, JobReport)}
    assert {JobReport, JobDeletion, ExecutionReport, PendingListReport, ThingGroupReport} == set(reports)
    assert set(NAMESPACES) == namespaces
    assert 5 <= malformed <= 40
    kinds = {type(parse_topic(topic)).__name__ for topic, _ in messages}
    assert {
        "JobNotification",
        "PendingNotification",
        "NextNotification",
        "ExecutionAnswer",
        "JobEvent",
        "JobExecutionEvent",
        "ThingGroupEvent",
    } == kinds


def test_the_same_seed_gives_the_same_fleet() -> None:
    """The same seed yields the same messages, so a demonstration can be repeated."""
    assert simulate(50) == simulate(50)


def test_every_group_is_made_known() -> None:
    """The first messages create every thing group."""
    topics = [topic for topic, _ in Fleet(seed=1).start(START)]
    assert [f"$aws/events/thingGroup/{group}/created" for group in GROUPS] == topics[: len(GROUPS)]
