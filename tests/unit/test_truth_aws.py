"""The fake AWS of a simulated fleet shows its true state at each time."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.simulated_aws import simulate
from support.simulated_evidence import AttemptShown, Shown
from support.truth_aws import TruthAws

SEEDS = range(1, 11)


def shown_by(aws: TruthAws) -> Iterator[tuple[int, Shown]]:
    """Yield each fact that messages show, with the time of their publication."""
    for published in aws.simulated.published:
        for shown in published.shown:
            yield published.message.published_at, shown


def executions_of(iot: Any, job_id: str) -> dict[tuple[str, int], tuple[str, float, float]]:
    """Return the status and times of a job's attempts, from boto3."""
    found = {}
    for page in iot.get_paginator("list_job_executions_for_job").paginate(jobId=job_id):
        for row in page["executionSummaries"]:
            summary = row["jobExecutionSummary"]
            times = (summary["queuedAt"].timestamp(), summary["lastUpdatedAt"].timestamp())
            found[row["thingArn"].rpartition("/")[2], summary["executionNumber"]] = (summary["status"], *times)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_messages(seed: int) -> None:
    """The messages are those of the simulation without a fake AWS, and each is published once."""
    aws = TruthAws(seed)
    messages = simulate(seed).messages
    assert messages == aws.simulated.messages
    middle = messages[len(messages) // 2].published_at
    assert messages == [*aws.pass_until(middle), *aws.pass_until(middle), *aws.pass_until(middle + 10**9)]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_state_is_the_truth(seed: int) -> None:
    """At the end, jobs with their executions are the true ones, as boto3 reads them."""
    with TruthAws(seed) as aws:
        aws.pass_until(aws.simulated.ended_at)
        iot = aws.client()
        listed = [job for page in iot.get_paginator("list_jobs").paginate() for job in page["jobs"]]
        jobs = aws.simulated.jobs.values()
        assert {job.job_id: (job.status, job.last_updated_at / 1000) for job in jobs} == {
            job["jobId"]: (job["status"], job["lastUpdatedAt"].timestamp()) for job in listed
        }
        for job in jobs:
            assert {
                (name, each.number): (each.status, each.queued_at / 1000, each.last_updated_at / 1000)
                for name, execution in job.executions.items()
                for each in execution.attempts
            } == executions_of(iot, job.job_id)
            described = iot.describe_job(jobId=job.job_id)["job"]
            counts = job.process_details()
            assert counts == {name: described["jobProcessDetails"][name] for name in counts}
            assert job.namespace_id == described.get("namespaceId")


@pytest.mark.parametrize("seed", SEEDS)
def test_each_state_is_as_new_as_its_messages(seed: int) -> None:
    """When a message is published, AWS shows the state in it or a newer one, and when it was written, no newer one."""
    aws = TruthAws(seed)
    compared = 0
    for published_at, shown in shown_by(aws):
        if not isinstance(shown, AttemptShown) or shown.version is None:
            continue
        execution = shown.attempt.execution
        for time in (shown.captured_at, published_at):
            job = aws.history.at(time).jobs.get(execution.job.job_id)
            if job is None or job.created_at != execution.job.created_at:
                assert (execution.job.deleted_at or time + 1) <= time
                continue
            attempts = {each.number: each for each in job.executions.get(execution.thing_name, ())}
            attempt = attempts.get(shown.attempt.number)
            if attempt is None:
                assert (execution.deleted_at or time + 1) <= time
                continue
            compared += 1
            assert attempt.version >= shown.version
            assert attempt.last_updated_at <= time
            if attempt.version == shown.version and attempt.status != shown.status:
                assert attempt.status == "REMOVED"  # its version does not change
    assert compared or not aws.simulated.switches.lists


def test_jobs_come_and_go_with_time() -> None:
    """A job is unknown before its creation and after its deletion; Date is the simulated time."""
    with TruthAws(2) as aws:
        lives = [life for lives in aws.simulated.job_lives.values() for life in lives]
        deleted, deleted_at = next((life, life.deleted_at) for life in lives if life.deleted_at is not None)
        iot = aws.client()
        listed = []
        for time in (deleted.created_at - 1, deleted.created_at, deleted_at - 1, deleted_at):
            aws.now = time
            answer = iot.list_jobs()
            listed.append(deleted.job_id in {job["jobId"] for job in answer["jobs"]})
        assert [False, True, True, False] == listed
        with pytest.raises(iot.exceptions.ResourceNotFoundException) as caught:
            iot.describe_job(jobId=deleted.job_id)
        date = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]
        assert answer["ResponseMetadata"]["HTTPHeaders"]["date"] == date


def test_a_listing_can_lag() -> None:
    """A listing can be older than DescribeJob."""
    with TruthAws(2, lag=60_000) as aws:
        job = next(iter(aws.simulated.jobs.values()))
        aws.now = job.created_at + 59_999
        iot = aws.client()
        assert job.job_id == iot.describe_job(jobId=job.job_id)["job"]["jobId"]
        assert job.job_id not in {each["jobId"] for each in iot.list_jobs()["jobs"]}


def test_deployments_are_of_the_jobs() -> None:
    """Each job of Greengrass has a deployment with its name; the last one of a target is the latest."""
    with TruthAws(2) as aws:
        aws.pass_until(aws.simulated.ended_at)
        greengrass = aws.client("greengrassv2")
        deployments = greengrass.list_deployments(historyFilter="ALL")["deployments"]
        jobs = [job for job in aws.history.jobs if job.namespace_id == "aws-gg-deployment"]
        assert {job.document["deploymentName"] for job in jobs} == {each["deploymentName"] for each in deployments}
        targets = {each["targetArn"] for each in deployments}
        assert len(targets) == sum(each["isLatestForTarget"] for each in deployments)
        for each in deployments:
            job_id = greengrass.get_deployment(deploymentId=each["deploymentId"])["iotJobId"]
            assert job_id in {job.job_id for job in jobs if job.document["deploymentId"] == each["deploymentId"]}
