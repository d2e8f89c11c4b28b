"""A fake AWS whose answers are the true state of a simulated fleet, at a simulated time that a test moves.

So a sync can run beside the fleet's messages: `pass_until` moves the time and returns the messages that AWS published
meanwhile. AWS's state is ahead of them by up to three seconds, as AWS publishes events late.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from support.fake_aws import FakeAws
from support.fake_fleet import FakeAttempt, FakeDeployment, FakeFleet, FakeGroup, FakeJob
from support.simulated_aws import simulate
from support.simulated_evidence import Message
from support.simulated_fleet import ACCOUNT, FleetHistory
from support.simulated_truth import RETRIED_STATUSES, FleetObserver, TrueAttempt, TrueExecution, TrueJob

_DEPLOYMENT_STATUSES = {"IN_PROGRESS": "ACTIVE", "DELETION_IN_PROGRESS": "INACTIVE"}
"""The status of a deployment by that of its job, if it is another."""

State = TypeVar("State")


class RecordedHistory(FleetHistory):
    """A history that keeps the states of its jobs and groups, with the times of their changes."""

    def __init__(self, rng: random.Random) -> None:
        self.states: dict[TrueJob, list[tuple[int, FakeJob | None]]] = {}
        """The states of each job from times on; None once it is deleted."""
        self.members: dict[str, list[tuple[int, list[str]]]] = {}
        """The things of each group from times on."""
        self._changed: set[TrueJob] = set()
        self._now = 0
        super().__init__(rng)
        self.started_at = self.now

    @property
    def now(self) -> int:
        """The simulated time in milliseconds."""
        return self._now

    @now.setter
    def now(self, time: int) -> None:
        if time > self._now:
            self.record()
        self._now = time

    def record(self) -> None:
        """Keep the states of the jobs that changed at the current time."""
        for job in self._changed:
            state = _job(job) if job.deleted_at is None else None
            self.states.setdefault(job, []).append((self.now, state))
        self._changed.clear()

    def run(self, steps: int) -> None:
        """Make random changes, and note them."""
        self.observer = cast("FleetObserver", _Noting(self))
        super().run(steps)
        self.record()

    def at(self, time: int) -> FakeFleet:
        """Return the state at a time, after its changes."""
        region, account = ACCOUNT.split(":")
        states = {job: _latest(states, time) for job, states in self.states.items() if job.created_at <= time}
        groups = {name: _latest(members, time) or [] for name, members in self.members.items()}
        return FakeFleet(
            region=region,
            account=account,
            jobs={job.job_id: state for job, state in states.items() if state is not None},
            groups={name: FakeGroup(name=name, things=things) for name, things in groups.items()},
            deployments=_deployments(states),
        )

    def note_members(self, group_name: str) -> None:
        """Keep the things of a group."""
        self.members.setdefault(group_name, []).append((self.now, sorted(self.groups[group_name])))

    def touch(self, job: TrueJob) -> None:
        """Note that a job has changed."""
        self._changed.add(job)

    def _new_job(self, job_id: str, namespace_id: str | None) -> None:
        super()._new_job(job_id, namespace_id)
        self.touch(self.jobs[-1])

    def _queue(self, job: TrueJob, thing_name: str) -> None:
        super()._queue(job, thing_name)
        self.touch(job)


class _Noting:
    """Calls the observer of a history, after noting the change that it reports."""

    def __init__(self, history: RecordedHistory) -> None:
        self._history = history
        self._observer = history.observer

    def __getattr__(self, name: str) -> Callable[..., None]:
        report: Callable[..., None] = getattr(self._observer, name)

        def noting(subject: object, *arguments: object, **named: object) -> None:
            if isinstance(subject, TrueJob):
                self._history.touch(subject)
            elif isinstance(subject, TrueAttempt):
                self._history.touch(subject.execution.job)
            elif name == "group_changed":
                self._history.note_members(str(subject))
            report(subject, *arguments, **named)

        return noting


class TruthAws(FakeAws):
    """A fake AWS of the simulated fleet of a seed; its `Date` is the simulated time of the state that it shows.

    Simulated time passes by hours while an answer is sent.

    Listings show the state `lag` milliseconds earlier: nothing promises that they are as new as DescribeJob.
    """

    def __init__(self, seed: int, *, steps: int | None = None, lag: int = 0, **options: Any) -> None:
        histories: list[RecordedHistory] = []

        def make_history(rng: random.Random) -> RecordedHistory:
            histories.append(RecordedHistory(rng))
            return histories[0]

        self.simulated = simulate(seed, steps=steps, make_history=make_history)
        """The fleet's messages and final state."""
        (self.history,) = histories
        self.now = self.history.started_at
        """The simulated time in milliseconds."""
        self._lag = lag
        self._messages = self.simulated.messages
        self._published = 0
        self._shown_at = self.now
        super().__init__(shows=self._at, clock=lambda: self._shown_at / 1000, **options)

    def pass_until(self, time: int) -> Sequence[Message]:
        """Move the time; return the messages that were published since the last move, in order."""
        messages = self._messages
        first = self._published
        while self._published < len(messages) and messages[self._published].published_at <= time:
            self._published += 1
        self.now = time
        return messages[first : self._published]

    def _at(self, operation: str) -> FakeFleet:
        self._shown_at = self.now
        state = self.history.at(self.now - (self._lag if operation.startswith("List") else 0))
        switches = self.simulated.switches
        state.events = dict.fromkeys(state.events, switches.events and self.now >= switches.events_from)
        return state


def _latest(states: Sequence[tuple[int, State]], time: int) -> State | None:
    """Return the last of the states that began by a time."""
    number = bisect_right(states, time, key=lambda state: state[0])
    return states[number - 1][1] if number else None


def _job(job: TrueJob) -> FakeJob:
    return FakeJob(
        job_id=job.job_id,
        namespace_id=job.namespace_id,
        status=job.status,
        target_selection=job.target_selection,
        targets=tuple(arn.split(":", 5)[5] for arn in job.targets),
        created_at=job.created_at,
        last_updated_at=job.last_updated_at,
        completed_at=job.completed_at,
        description=job.description,
        comment=job.comment,
        reason_code=job.reason_code,
        document=job.document,
        executions={name: _attempts(execution) for name, execution in job.executions.items()},
    )


def _attempts(execution: TrueExecution) -> list[FakeAttempt]:
    return [
        FakeAttempt(
            number=attempt.number,
            status=attempt.status,
            queued_at=attempt.queued_at,
            started_at=attempt.started_at,
            last_updated_at=attempt.last_updated_at,
            version=attempt.version,
            retry_attempt=sum(former.status in RETRIED_STATUSES for former in execution.attempts[:number]),
            details=dict(attempt.details),
        )
        for number, attempt in enumerate(execution.attempts)
    ]


def _deployments(states: Mapping[TrueJob, FakeJob | None]) -> list[FakeDeployment]:
    """Return a deployment for each job of Greengrass that ever existed, each the next revision of its target."""
    deployments: list[FakeDeployment] = []
    latest: dict[str, FakeDeployment] = {}
    for job, state in sorted(states.items(), key=lambda each: each[0].created_at):
        if job.namespace_id != "aws-gg-deployment":
            continue
        target, _, revision = str(job.document["configurationArn"]).partition(":configuration:")[2].rpartition(":")
        status = "DELETION_IN_PROGRESS" if state is None else state.status
        deployment = FakeDeployment(
            deployment_id=str(job.document["deploymentId"]),
            target=target,
            revision=revision,
            name=str(job.document["deploymentName"]),
            status=_DEPLOYMENT_STATUSES.get(status, status),
            created_at=job.created_at,
            job_id=job.job_id,
        )
        if target in latest:
            latest[target].is_latest = False
        latest[target] = deployment
        deployments.append(deployment)
    return deployments
