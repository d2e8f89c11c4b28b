"""The simulated AWS: a seed determines a fleet, its messages have AWS's shapes, and its truth is consistent."""

import json
import random
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.simulated_aws import SimulatedFleet, batches, delivered, simulate
from support.simulated_judgement import Answer, judge, knowable
from support.simulated_knowledge import Basis, Known, Reason, Unknowable
from support.simulated_truth import PENDING_STATUSES, TrueExecution, TrueJob

SEEDS = range(40)
REASON_SEEDS = range(150)
DOCUMENTS = Path(__file__).parent.parent / "documents"

# Members that MiniStack's authors saw on live AWS beyond the guide's samples, or in answers without a sample.
MORE_KEYS = {
    "canceled": {"comment", "reasonCode", "jobProcessDetails", "executionNumber"},
    "accepted": {"jobDocument", "statusDetails", "startedAt"},
    "rejected": {"clientToken"},
}


@cache
def fleet_of(seed: int) -> SimulatedFleet:
    """Return the fleet of a seed, created once."""
    return simulate(seed)


class PerfectAnswers:
    """The truth as answers, including facts that an index could not know."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet

    def job(self, job_id: str) -> Answer | None:
        """Return the true job."""
        job = self._fleet.jobs.get(job_id)
        return None if job is None else true_job(job)

    def execution(self, job_id: str, thing_name: str) -> Answer | None:
        """Return the true execution."""
        execution = self._fleet.executions.get((job_id, thing_name))
        return None if execution is None else true_execution(execution)


def true_job(job: TrueJob) -> Answer:
    """Return a job with AWS's member names."""
    return {
        "status": job.status,
        "createdAt": job.created_at,
        "completedAt": job.completed_at,
        "description": job.description,
        "targets": job.targets,
        "targetSelection": job.target_selection,
        "comment": job.comment,
        "reasonCode": job.reason_code,
        "jobProcessDetails": job.process_details(),
        "namespaceId": job.namespace_id,
    }


def true_execution(execution: TrueExecution) -> Answer:
    """Return an execution with AWS's member names and its former attempts."""
    attempt = execution.current
    return {
        "status": attempt.status,
        "executionNumber": attempt.number,
        "versionNumber": attempt.version,
        "queuedAt": attempt.queued_at,
        "startedAt": attempt.started_at,
        "lastUpdatedAt": attempt.last_updated_at,
        "statusDetails": attempt.details,
        "thingArn": f"arn:aws:iot:us-east-1:123456789012:thing/{execution.thing_name}",
        "attempts": {
            former.number: {"status": former.status, "statusDetails": former.details}
            for former in execution.attempts[:-1]
        },
    }


@cache
def sample(name: str) -> dict[str, Any]:
    """Return the payload of a sample."""
    payload: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_text())["payload"]
    return payload


def sample_of(topic: str) -> dict[str, Any] | None:
    """Return the sample for messages of a topic, or None if there is none."""
    operation = topic.rpartition("/")[2].replace("_", "-")
    if topic.startswith("$aws/events/jobExecution/"):
        return sample(f"job-execution-event-{operation}")
    if topic.startswith("$aws/events/job/"):
        return sample(f"job-event-{operation}")
    if topic.startswith("$aws/events/thingGroup/"):
        return sample("thing-group-event")
    if operation.startswith("notify-next"):
        return sample("notify-next")
    if operation.startswith("notify"):
        return sample("notify")
    if topic.endswith("/update/rejected"):
        return sample("update-rejected")
    if topic.endswith("/update/accepted"):
        return sample("update-accepted")
    return None if topic.endswith("/jobs/get/accepted") else sample("start-next-accepted")


def test_same_seed_makes_the_same_fleet() -> None:
    """Messages, their order and the final state depend only on the seed."""
    first, second = simulate(7), simulate(7)
    assert first.messages == second.messages
    assert {job_id: true_job(job) for job_id, job in first.jobs.items()} == {
        job_id: true_job(job) for job_id, job in second.jobs.items()
    }
    assert first.messages != simulate(8).messages


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_have_the_shapes_of_aws(seed: int) -> None:
    """Payloads have the members of AWS's samples, and times in their units."""
    for message in fleet_of(seed).messages:
        payload, expected = json.loads(message.payload), sample_of(message.topic)
        if expected is None:
            assert {"timestamp", "inProgressJobs", "queuedJobs"} == payload.keys()
            continue
        more = MORE_KEYS.get(message.topic.rpartition("/")[2], set())
        optional = {"executionNumber", "statusDetails", "comment", "jobProcessDetails", "clientToken"}
        assert payload.keys() <= expected.keys() | more | optional, message.topic
        for member in {"execution", "executionState"} & payload.keys():
            assert payload[member].keys() <= expected[member].keys() | {"statusDetails"}
        for status, entries in payload.get("jobs", {}).items():
            assert all(entry.keys() <= sample("notify")["jobs"]["IN_PROGRESS"][0].keys() for entry in entries)
            assert status in PENDING_STATUSES
        for member in {"timestamp", "createdAt", "lastUpdatedAt", "completedAt"} & payload.keys():
            assert len(str(payload[member])) == len(str(expected[member])), member


@pytest.mark.parametrize("seed", SEEDS)
def test_truth_is_consistent(seed: int) -> None:
    """Jobs and executions have only states that AWS allows."""
    fleet = fleet_of(seed)
    for jobs in fleet.job_lives.values():
        assert all(former.deleted_at is not None for former in jobs[:-1])
        assert all((a.deleted_at or 0) < b.created_at for a, b in pairwise(jobs))
        for job in jobs:
            if job.status == "COMPLETED":
                assert job.target_selection == "SNAPSHOT"
                assert job.completed_at is not None
                assert not any(execution.current.is_pending for execution in job.executions.values())
    for execution in (execution for lives in fleet.execution_lives.values() for execution in lives):
        numbers = [attempt.number for attempt in execution.attempts]
        assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]
        for attempt, following in pairwise(execution.attempts):
            assert attempt.ended_at is not None
            assert attempt.ended_at <= following.queued_at
        for attempt in execution.attempts:
            assert (attempt.ended_at is None) == (attempt.status in PENDING_STATUSES)
            assert attempt.queued_at <= attempt.last_updated_at


@pytest.mark.parametrize("seed", SEEDS)
def test_truth_is_never_a_mistake(seed: int) -> None:
    """Every fact that can be known is true."""
    assert judge(fleet_of(seed), PerfectAnswers(fleet_of(seed))) == []


def test_missing_job_is_one_mistake() -> None:
    """An index that lost a job makes one mistake, not one for each member."""
    fleet = fleet_of(1)
    lost = next(fact.job_id for fact in knowable(fleet) if fact.knowledge == Known(value=True))
    answers = PerfectAnswers(fleet)
    answers.job = lambda job_id: None if job_id == lost else PerfectAnswers(fleet).job(job_id)  # type: ignore[method-assign]
    assert [(lost, "exists", False)] == [
        (mistake.fact.job_id, mistake.fact.member, mistake.answer) for mistake in judge(fleet, answers)
    ]


def test_nothing_can_be_known_without_messages() -> None:
    """A reader without messages knows no member."""
    assert {Unknowable} == {type(fact.knowledge) for fact in knowable(fleet_of(1), [])}


def test_delivery_keeps_every_message() -> None:
    """Shuffling loses no message and repeats three in ten; batches leave none out."""
    fleet = fleet_of(1)
    assert [*fleet.messages] == delivered(fleet, random.Random(1), shuffled=False)
    shuffled = delivered(fleet, random.Random(1), shuffled=True)
    assert {*fleet.messages} == {*shuffled}
    assert len(fleet.messages) * 1.2 < len(shuffled) < len(fleet.messages) * 1.4
    assert shuffled == [message for batch in batches(shuffled, random.Random(1)) for message in batch]


def test_every_reason_and_basis_occurs() -> None:
    """Each reason for an exclusion, and each basis of knowledge, occurs in some fleet."""
    reasons: Counter[Reason] = Counter()
    bases: Counter[Basis] = Counter()
    for seed in REASON_SEEDS:
        for fact in knowable(fleet_of(seed)):
            if isinstance(fact.knowledge, Known):
                bases[fact.knowledge.basis] += 1
            else:
                reasons[fact.knowledge.reason] += 1
    assert {*Reason} == reasons.keys()
    assert {*Basis} == bases.keys()


def test_everything_happens() -> None:
    """The fleets contain every status, retries and reused ids within a second, and cut lists."""
    fleets = [fleet_of(seed) for seed in REASON_SEEDS]
    executions = [execution for fleet in fleets for lives in fleet.execution_lives.values() for execution in lives]
    attempts = [attempt for execution in executions for attempt in execution.attempts]
    ended = {"SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED"}
    assert PENDING_STATUSES | ended == {attempt.status for attempt in attempts}
    assert {"IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"} == {
        job.status for fleet in fleets for job in fleet.jobs.values()
    }
    retried = [pair for each in executions for pair in pairwise(each.attempts)]
    assert any((former.ended_at or 0) // 1000 == later.queued_at // 1000 for former, later in retried)
    jobs = [pair for fleet in fleets for lives in fleet.job_lives.values() for pair in pairwise(lives)]
    assert any((former.deleted_at or 0) // 1000 == later.created_at // 1000 for former, later in jobs)
    assert any(message.payload.count(b'"jobId"') == 10 for fleet in fleets for message in fleet.messages)
