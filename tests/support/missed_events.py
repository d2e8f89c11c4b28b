"""A fleet at a fake AWS, the events that a service misses while its session is lost, and the facts of an index."""

from typing import Any, NamedTuple

from support.fake_fleet import FakeFleet, FakeJob

NAMESPACE = "acme"
FILLED_AGO = 900
"""The seconds before now as of which the index is filled; every event comes later, and is older than a minute."""
UNSEEN = ("quiet", "late")
"""The job and the thing of an execution that begins and ends unseen."""
_ENDS = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT")
_JOBS_PER_NAMESPACE = 2


class Drift(NamedTuple):
    """A difference that a check has to find."""

    kind: str
    job_id: str
    thing_name: str | None
    was: str | None
    now: str | None


class MissedFleet:
    """Jobs that are in progress, some in a namespace; `now` in milliseconds."""

    def __init__(self, now: int) -> None:
        self.fleet = FakeFleet()
        self._now = now
        self._count = 0
        for number in range(7):
            self._add(f"rollout-{number}", 60)
        for number in range(8):
            for name in ("complete", "cancel", "delete"):
                self._add(f"{name}-{number}", 4)
        self._add("quiet", 3)
        ended = self._add("ended", 2)
        ended.status, ended.completed_at = "COMPLETED", ended.created_at
        for attempts in ended.executions.values():
            attempts[-1].status = "SUCCEEDED"

    def _add(self, job_id: str, things: int, created_ago: int = 5000) -> FakeJob:
        self._count += 1
        created_at = self._now - created_ago * 1000
        job = self.fleet.add_job(
            job_id,
            namespace_id=NAMESPACE if self._count % _JOBS_PER_NAMESPACE else None,
            targets=tuple(f"thing/{job_id}-{number}" for number in range(things)),
            created_at=created_at,
            last_updated_at=created_at,
        )
        for target in job.targets:
            job.execute(target.partition("/")[2], queued_at=created_at, last_updated_at=created_at)
        return job

    def go_on(self) -> list[Drift]:
        """Let the fleet go on without the service; return what a check has to find."""
        drifts: list[Drift] = []
        for number in range(7):
            job = self.fleet.jobs[f"rollout-{number}"]
            for place, thing in enumerate(list(job.executions)[:55]):
                drifts.append(self._delete(job, thing) if place % 11 == 0 else self._end(job, thing, place))
            drifts.append(self._start(job, list(job.executions)[-1]))
        for number in range(8):
            drifts += self._end_job(self.fleet.jobs[f"complete-{number}"], "COMPLETED", ("SUCCEEDED", "FAILED"))
            drifts += self._end_job(self.fleet.jobs[f"cancel-{number}"], "CANCELED", ("CANCELED",))
            del self.fleet.jobs[f"delete-{number}"]
            drifts.append(Drift("job_deleted", f"delete-{number}", None, "IN_PROGRESS", None))
            drifts += self._create(f"new-{number}")
        self._execute_unseen()
        return drifts

    def _execute_unseen(self) -> None:
        """Let a thing begin and end: it is in no list of pending executions, so a check does not find it."""
        moment = self._moment()
        job_id, thing = UNSEEN
        self.fleet.jobs[job_id].execute(thing, "SUCCEEDED", queued_at=moment, last_updated_at=moment + 1000)

    def _moment(self) -> int:
        """Return the time of the next event."""
        self._count += 1
        return self._now - (FILLED_AGO - 100) * 1000 + self._count * 1000

    def _end(self, job: FakeJob, thing: str, place: int, ends: tuple[str, ...] = _ENDS) -> Drift:
        attempt = job.executions[thing][-1]
        was, attempt.status = attempt.status, ends[place % len(ends)]
        attempt.last_updated_at = self._moment()
        attempt.started_at = attempt.last_updated_at - 2000
        return Drift("execution_status", job.job_id, thing, was, attempt.status)

    def _start(self, job: FakeJob, thing: str) -> Drift:
        return self._end(job, thing, 0, ("IN_PROGRESS",))

    def _delete(self, job: FakeJob, thing: str) -> Drift:
        (attempt,) = job.executions.pop(thing)
        return Drift("execution_deleted", job.job_id, thing, attempt.status, None)

    def _end_job(self, job: FakeJob, status: str, ends: tuple[str, ...]) -> list[Drift]:
        drifts = [self._end(job, thing, place, ends) for place, thing in enumerate(job.executions)]
        job.status = status
        job.last_updated_at = job.completed_at = self._moment()
        return [*drifts, Drift("job_status", job.job_id, None, "IN_PROGRESS", status)]

    def _create(self, job_id: str) -> list[Drift]:
        job = self._add(job_id, 4, created_ago=FILLED_AGO - 100)
        missing = [Drift("execution_missing", job_id, thing, None, "QUEUED") for thing in job.executions]
        return [Drift("job_missing", job_id, None, None, "IN_PROGRESS"), *missing]


def facts(iot: Any) -> dict[tuple[str, ...], Any]:
    """Return the facts of all jobs and executions, as boto3 lists them."""
    found: dict[tuple[str, ...], Any] = {}
    for job in _rows(iot, "list_jobs", "jobs"):
        members = ("status", "targetSelection", "createdAt", "completedAt")
        found[job["jobId"],] = {name: job.get(name) for name in members}
        for row in _rows(iot, "list_job_executions_for_job", "executionSummaries", jobId=job["jobId"]):
            execution = {name: value for name, value in row["jobExecutionSummary"].items() if name != "retryAttempt"}
            found[job["jobId"], row["thingArn"].rpartition("/")[2]] = execution
    for job in _rows(iot, "list_jobs", "jobs", namespaceId=NAMESPACE):
        found[job["jobId"],]["namespaceId"] = NAMESPACE
    return found


def _rows(iot: Any, operation: str, member: str, **given: str) -> list[Any]:
    pages = iot.get_paginator(operation).paginate(**given, PaginationConfig={"PageSize": 250})
    return [row for page in pages for row in page[member]]
