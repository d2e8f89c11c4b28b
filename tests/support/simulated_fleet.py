"""The history of a fleet: a seed decides how jobs and executions change, within the rules of AWS IoT Jobs.

The simulation does not depend on messages: it reports each change to an observer at that moment, when the state can be
read.
"""

import heapq
import random
from collections.abc import Callable, Sequence

from support.simulated_truth import (
    PENDING_STATUSES,
    RETRIED_STATUSES,
    FleetObserver,
    TrueAttempt,
    TrueExecution,
    TrueJob,
)

ACCOUNT = "us-east-1:123456789012"
_START = 1_790_000_000_000
_NAMESPACES = (None, None, "aws-gg-deployment", "aws-gg-deployment", "blue", "next-green")


class FleetHistory:
    """The state of a fleet, and its possible next changes."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = _START + rng.randrange(10_000_000)
        self.things = [f"Thing{number}" for number in range(rng.randint(2, 5))]
        self.groups = {f"Group{number}": {t for t in self.things if rng.random() < 0.6} for number in range(2)}
        self.jobs: list[TrueJob] = []
        """Every job that ever existed, in order of creation."""
        self.lives: dict[tuple[str, str], list[TrueExecution]] = {}
        """Every execution that ever existed, by job id and thing, in order of creation."""
        self.observer: FleetObserver
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._next_id = 1

    def run(self, steps: int) -> None:
        """Make random changes."""
        for name in self.groups:
            self.observer.group_changed(name, "created", at=self.now)
        actions: Sequence[tuple[int, Callable[[], None]]] = (
            (5, self._create_job),
            (1, self._create_many),
            (12, self._start),
            (10, self._progress),
            (16, self._end),
            (4, self._move_between_groups),
            (2, self._cancel_job),
            (3, self._delete_job),
            (1, self._delete_execution),
            (3, self._use_id_again),
            (3, self._ask),
        )
        weights = [weight for weight, _ in actions]
        for _ in range(steps):
            self._pass_time(self.rng.choice((0, 0, 120, 400, 900, 2_500, 30_000, 3_600_000)))
            self.rng.choices(actions, weights)[0][1]()
        self._pass_time(self.rng.choice((0, 1_000, 100_000)))

    @property
    def live_jobs(self) -> list[TrueJob]:
        """The jobs that exist."""
        return [job for job in self.jobs if job.deleted_at is None]

    def pending(self, thing_name: str) -> list[TrueAttempt]:
        """Return a thing's pending executions in AWS's order: those in progress first, then the longest queued."""
        found = [
            execution.current
            for job in self.live_jobs
            if (execution := job.executions.get(thing_name)) is not None and execution.current.is_pending
        ]
        return sorted(found, key=lambda attempt: (attempt.status != "IN_PROGRESS", attempt.queued_at))

    def _pass_time(self, longest: int) -> None:
        until = self.now + (self.rng.randint(0, longest) if longest else 0)
        while self._due and self._due[0][0] <= until:
            self.now, _, happen = heapq.heappop(self._due)
            happen()
        self.now = until

    def _later(self, longest: int, happen: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._due, (self.now + self.rng.randint(1, longest), self._scheduled, happen))

    def _all_pending(self) -> list[TrueAttempt]:
        return [attempt for thing_name in self.things for attempt in self.pending(thing_name)]

    # Jobs

    def _create_job(self) -> None:
        self._new_job(f"job-{self._next_id}", self.rng.choice(_NAMESPACES))
        self._next_id += 1

    def _create_many(self) -> None:
        if self.rng.random() < 0.3:
            namespace_id = self.rng.choice(_NAMESPACES)
            for _ in range(self.rng.randint(8, 13)):
                self._new_job(f"job-{self._next_id}", namespace_id)
                self._next_id += 1
                self._pass_time(self.rng.choice((0, 700)))

    def _use_id_again(self) -> None:
        used = {job.job_id for job in self.live_jobs}
        free = [job for job in self.jobs if job.job_id not in used and (job.deleted_at or 0) < self.now]
        if free:
            self._new_job_after(self.rng.choice(free))

    def _new_job_after(self, former: TrueJob) -> None:
        if all(job.job_id != former.job_id for job in self.live_jobs):
            same = self.rng.random() < 0.8
            self._new_job(former.job_id, former.namespace_id if same else self.rng.choice(_NAMESPACES))

    def _new_job(self, job_id: str, namespace_id: str | None) -> None:
        rng, count = self.rng, len(self.jobs)
        group_name = rng.choice([*self.groups, None])
        things = self.groups[group_name] if group_name else set(rng.sample(self.things, rng.randint(1, 2)))
        continuous = group_name is not None and (namespace_id == "aws-gg-deployment" or rng.random() < 0.6)
        target = f"thinggroup/{group_name}" if group_name else f"thing/{min(things)}"
        document: dict[str, object] = {"operation": "test", "count": count}
        if namespace_id == "aws-gg-deployment":
            document = {
                "deploymentId": f"b5b9f0a4-2d1c-4c1b-8f4a-{count:012}",
                "configurationArn": f"arn:aws:greengrass:{ACCOUNT}:configuration:{target}:{count}",
                "deploymentName": f"Deployment {count}",
                "creationTimestamp": self.now,
            }
        job = TrueJob(
            job_id=job_id,
            namespace_id=namespace_id,
            target_selection="CONTINUOUS" if continuous else "SNAPSHOT",
            targets=(f"arn:aws:iot:{ACCOUNT}:thinggroup/{group_name}",)
            if group_name
            else tuple(f"arn:aws:iot:{ACCOUNT}:thing/{name}" for name in sorted(things)),
            group_name=group_name,
            description=f"Description {count}",
            document=document,
            retries=rng.choice((0, 1, 2, 3)),
            created_at=self.now,
            last_updated_at=self.now,
        )
        self.jobs.append(job)
        for thing_name in sorted(things):
            self._roll_out(job, thing_name, rng.choice((1, 600, 3_000)))

    def _roll_out(self, job: TrueJob, thing_name: str, within: int) -> None:
        def queue() -> None:
            job.rollouts_due -= 1
            former = job.executions.get(thing_name)
            if job.status == "IN_PROGRESS" and (former is None or not former.current.is_pending):
                self._queue(job, thing_name)
            self._complete_if_done(job)

        job.rollouts_due += 1
        self._later(within, queue)

    def _queue(self, job: TrueJob, thing_name: str) -> None:
        execution = job.executions.get(thing_name)
        if execution is None:
            execution = job.executions[thing_name] = TrueExecution(job=job, thing_name=thing_name)
            self.lives.setdefault(execution.key, []).append(execution)
        number = job.numbers[thing_name] = job.numbers.get(thing_name, 0) + 1
        execution.attempts.append(
            TrueAttempt(execution=execution, number=number, queued_at=self.now, last_updated_at=self.now)
        )
        execution.retry_due = False
        self.observer.queue_changed(thing_name, job.namespace_id, at=self.now)

    def _complete_if_done(self, job: TrueJob) -> None:
        if job.target_selection == "SNAPSHOT":
            self._later(500, lambda: self._complete(job))

    def _complete(self, job: TrueJob) -> None:
        executions = job.executions.values()
        if (
            job.status == "IN_PROGRESS"
            and job.deleted_at is None
            and not job.rollouts_due
            and executions
            and not any(execution.current.is_pending or execution.retry_due for execution in executions)
        ):
            job.status, job.completed_at, job.last_updated_at = "COMPLETED", self.now, self.now
            self.observer.job_changed(job, "completed", at=self.now)

    def _cancel_job(self) -> None:
        running = [job for job in self.live_jobs if job.status == "IN_PROGRESS"]
        if not running:
            return
        job, force = self.rng.choice(running), self.rng.random() < 0.3
        job.status, job.last_updated_at = "CANCELED", self.now
        if self.rng.random() < 0.6:
            job.comment, job.reason_code = f"Comment {self.now}", "SUPERSEDED"
        self.observer.job_changed(job, "cancellation_in_progress", at=self.now)
        statuses = PENDING_STATUSES if force else {"QUEUED"}
        waiting = [e.current for e in job.executions.values() if e.current.status in statuses]

        def cancel(attempt: TrueAttempt) -> None:
            if attempt.is_pending and attempt.status in statuses:
                self._finish(attempt, "CANCELED")

        def finish() -> None:
            if job.status == "CANCELED":
                job.last_updated_at = self.now
                self.observer.job_changed(job, "canceled", at=self.now)

        for attempt in waiting:
            self._later(900, lambda attempt=attempt: cancel(attempt))  # type: ignore[misc]
        for execution in job.executions.values():
            execution.retry_due = False
        self._due_after_all(finish)

    def _due_after_all(self, happen: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._due, (self.now + 1_000, self._scheduled, happen))

    def _delete_job(self) -> None:
        force = self.rng.random() < 0.3
        jobs = [
            job
            for job in self.live_jobs
            if job.status in {"COMPLETED", "CANCELED"} or (force and job.status == "IN_PROGRESS")
        ]
        if not jobs:
            return
        job = self.rng.choice(jobs)
        job.status, job.last_updated_at = "DELETION_IN_PROGRESS", self.now
        self.observer.job_changed(job, "deletion_in_progress", at=self.now)
        self._later(self.rng.choice((50, 800, 20_000)), lambda: self._delete(job))

    def _delete(self, job: TrueJob) -> None:
        for execution in [*job.executions.values()]:
            self._remove(execution)
        job.deleted_at = self.now
        self.observer.job_changed(job, "deleted", at=self.now)
        if self.rng.random() < 0.4:
            self._later(self.rng.choice((1, 300, 3_000)), lambda: self._new_job_after(job))

    # Executions

    def _remove(self, execution: TrueExecution) -> None:
        was_pending = execution.current.is_pending
        execution.deleted_at = self.now
        execution.retry_due = False
        del execution.job.executions[execution.thing_name]
        self.observer.execution_ended(execution.current, "deleted", at=self.now)
        if was_pending:
            self.observer.queue_changed(execution.thing_name, execution.job.namespace_id, at=self.now)

    def _delete_execution(self) -> None:
        # AWS deletes one execution number at a time: a former attempt would come back.
        ended = [
            execution
            for job in self.live_jobs
            for execution in job.executions.values()
            if len(execution.attempts) == 1 and not execution.current.is_pending and not execution.retry_due
        ]
        if ended:
            self._remove(self.rng.choice(ended))

    def _start(self) -> None:
        queued = [attempt for attempt in self._all_pending() if attempt.status == "QUEUED"]
        if not queued:
            return
        attempt = self.rng.choice(queued)
        attempt.status, attempt.started_at = "IN_PROGRESS", self.now
        if self.pending(attempt.execution.thing_name)[0] is attempt and self.rng.random() < 0.6:
            self._touch(attempt)
            self.observer.start_requested(attempt, at=self.now)
        else:
            self._report(attempt)
        execution = attempt.execution
        self.observer.queue_changed(execution.thing_name, execution.job.namespace_id, at=self.now, started=True)

    def _progress(self) -> None:
        running = [attempt for attempt in self._all_pending() if attempt.status == "IN_PROGRESS"]
        if not running:
            return
        attempt = self.rng.choice(running)
        if self.rng.random() < 0.15:
            self.observer.update_requested(attempt, at=self.now, accepted=False)
        else:
            self._set_details(attempt, {"progress": str(self.rng.randrange(100))})
            self._report(attempt)

    def _end(self) -> None:
        pending = self._all_pending()
        if not pending:
            return
        attempt = self.rng.choice(pending)
        outcomes = ["SUCCEEDED", "SUCCEEDED", "FAILED", "FAILED", "FAILED", "REJECTED"]
        if attempt.status == "IN_PROGRESS":
            outcomes += ["TIMED_OUT", "TIMED_OUT"]
        status = self.rng.choice(outcomes)
        if status != "TIMED_OUT" and self.rng.random() < 0.7:
            self._set_details(attempt, {"result": status.lower(), "code": str(self.rng.randrange(100))})
        self._finish(attempt, status)

    def _finish(self, attempt: TrueAttempt, status: str) -> None:
        execution, job = attempt.execution, attempt.execution.job
        attempt.status, attempt.ended_at = status, self.now
        if status == "REMOVED":
            attempt.last_updated_at = self.now  # its versionNumber does not change: seen on live AWS
        elif status in {"TIMED_OUT", "CANCELED"}:
            self._touch(attempt)
        else:
            self._report(attempt)
        self.observer.execution_ended(attempt, status.lower(), at=self.now)
        self.observer.queue_changed(execution.thing_name, job.namespace_id, at=self.now)
        tried = sum(former.status in RETRIED_STATUSES for former in execution.attempts)
        if status in RETRIED_STATUSES and tried <= job.retries and job.status == "IN_PROGRESS":
            execution.retry_due = True
            self._later(self.rng.choice((100, 100, 2_000)), lambda: self._retry(execution))
        else:
            self._complete_if_done(job)

    def _retry(self, execution: TrueExecution) -> None:
        if execution.retry_due and execution.exists and execution.job.status == "IN_PROGRESS":
            self._queue(execution.job, execution.thing_name)
        execution.retry_due = False

    def _report(self, attempt: TrueAttempt) -> None:
        self._touch(attempt)
        self.observer.update_requested(attempt, at=self.now, accepted=True)

    def _touch(self, attempt: TrueAttempt) -> None:
        attempt.version += 1
        attempt.last_updated_at = self.now

    def _set_details(self, attempt: TrueAttempt, details: dict[str, str]) -> None:
        attempt.details = details
        attempt.details_changes += 1

    def _ask(self) -> None:
        if self.rng.random() < 0.5:
            self.observer.pending_requested(self.rng.choice(self.things), at=self.now)
            return
        executions = [e for job in self.live_jobs for e in job.executions.values()]
        if executions:
            self.observer.execution_requested(self.rng.choice(executions).current, at=self.now)

    # Things

    def _move_between_groups(self) -> None:
        group_name, thing_name = self.rng.choice([*self.groups]), self.rng.choice(self.things)
        members = self.groups[group_name]
        joins = thing_name not in members
        (members.add if joins else members.remove)(thing_name)
        self.observer.group_changed(group_name, "updated", at=self.now)
        for job in self.live_jobs:
            if job.target_selection != "CONTINUOUS" or job.group_name != group_name or job.status != "IN_PROGRESS":
                continue
            execution = job.executions.get(thing_name)
            if joins:
                self._roll_out(job, thing_name, self.rng.choice((1, 900)))
            elif execution is not None:
                execution.retry_due = False
                if execution.current.status == "QUEUED":
                    self._finish(execution.current, "REMOVED")
