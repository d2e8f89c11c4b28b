"""Advances the runs of the sync, one step at a time, on the replica that ingests.

Subscribed first: a run begins only while every subscription is granted, so that nothing falls between its answers and
the messages. Each step makes up to three calls, and is committed with its progress; then the first open run goes on. So
a check after a lost session does not wait for the end of a run that describes a million jobs.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobindex.aws.budget import Budget
from jobindex.aws.caller import Caller, Client
from jobindex.aws.deployments import DeploymentsPhase
from jobindex.aws.events import EventsPhase
from jobindex.aws.executions import DetailsPhase, PendingExecutionsPhase
from jobindex.aws.groups import ThingGroupsPhase
from jobindex.aws.jobs import AbsentJobsPhase, ListJobsPhase
from jobindex.aws.phases import Outcome, Phase, Position, Tools
from jobindex.aws.plan import AwsSync
from jobindex.aws.source import SourcePhase
from jobindex.errors import AwsError, AwsSourceError, DatabaseUnavailableError, LeaseLostError
from jobindex.model.jobs import from_milliseconds
from jobindex.model.reports import Report
from jobindex.model.store import Changed, Store
from jobindex.model.sync import CHECKS, SyncKind, SyncRun, SyncStep
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState, SyncStatus

PROBLEMS_MAXIMUM = 20
RUNS_MAXIMUM = 500
"""Runs to look at: the store has 50 ended ones of each kind, and those of single jobs must not hide the others."""
SKEW_SECONDS = 60.0
"""A greater difference to AWS's clock is a problem: AWS refuses signatures that differ by more than minutes."""
LOOK_SECONDS = 2.0
"""How often to look for runs that others have requested."""
_RETRY_SECONDS = 30.0
_BROKEN_SECONDS = 600.0
"""A connection that was away for longer is followed by a check: a broker's queue is limited."""
_IDLE_SECONDS = 1.0

_REQUIRED = frozenset({"source", "jobs", "absent jobs", "pending executions", "details"})
"""Without these phases, a fill or a check is not complete."""
_PHASES: Mapping[SyncKind, Sequence[str]] = {
    SyncKind.JOB: ("details",),
    SyncKind.PENDING: ("source", "jobs", "absent jobs", "pending executions"),
    SyncKind.FILL: ("source", "events", "jobs", "absent jobs", "thing groups", "deployments", "pending executions"),
    SyncKind.ACTIVE: ("source", "jobs", "absent jobs"),
    SyncKind.ALL: ("source", "events", "jobs", "absent jobs", "pending executions"),
    SyncKind.DETAILS: ("details",),
}

_WHOLE = (SyncKind.ALL, SyncKind.FILL)
"""The kinds that list all jobs."""
_LIST_PENDING = (SyncKind.PENDING, *_WHOLE)
"""The kinds that list the pending executions."""

_HELD = "every subscription has to be granted before a run begins"
_CLOCK = "This machine's clock is"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often the checks run, and how soon an incomplete fill is repeated."""

    active: timedelta = timedelta(hours=1)
    all: timedelta = timedelta(days=1)
    refill: timedelta = timedelta(hours=1)


class Synchronizer:
    """Fills the index from AWS and, in the mode `check`, compares it with AWS; `state.sync` shows the progress."""

    def __init__(
        self,
        client: Client,
        store: Store,
        state: ServiceState,
        metrics: Metrics,
        plan: AwsSync,
        *,
        arn_prefix: str | None,
        on_applied: Callable[[Sequence[Report], Changed], None],
        on_deferred: Callable[[frozenset[str]], None],
        note_dropped: Callable[[str], None],
        clock: Callable[[], datetime],
        schedule: Schedule = Schedule(),
    ) -> None:
        self._store = store
        self._state = state
        self._metrics = metrics
        self._plan = plan
        self._on_applied = on_applied
        self._on_deferred = on_deferred
        self._clock = clock
        self._schedule = schedule
        self._caller = Caller(
            client,
            Budget(plan.rates),
            note=lambda operation, outcome: metrics.sync_calls.labels(operation, outcome).inc(),
            on_waiting=self._note_waiting,
        )
        tools = Tools(
            caller=self._caller,
            store=store,
            namespaces=plan.namespaces,
            keeps_ended=plan.keeps_ended,
            note_dropped=note_dropped,
            arn_prefix=arn_prefix,
        )
        phases: Sequence[Phase] = (
            SourcePhase(tools),
            EventsPhase(tools),
            ListJobsPhase(tools),
            AbsentJobsPhase(tools),
            ThingGroupsPhase(tools),
            DeploymentsPhase(tools),
            PendingExecutionsPhase(tools),
            DetailsPhase(tools),
        )
        self._phases = {phase.name: phase for phase in phases}
        self._connected_at = time.monotonic()
        self._reconnected_at: datetime | None = None
        """When the last connection that was away for long was back."""
        self._step_seconds = 0.0
        """The average duration of a step, 0 before the first."""
        self._problems: tuple[str, ...] = ()

    def _note_waiting(self, reason: str | None) -> None:
        """Show why no call succeeds, or None."""
        if self._state.sync is not None and self._state.sync.reason != reason:
            self._state.sync = replace(self._state.sync, reason=reason)
            if reason is not None:
                _log.warning("The sync with AWS waits: %s", reason)

    async def run(self) -> None:
        """Run until cancelled.

        Raises:
            LeaseLostError: another replica has the lease.
        """
        self._state.sync = SyncStatus(mode=self._plan.mode)
        while True:
            try:
                await self._run()
            except LeaseLostError:
                raise
            except DatabaseUnavailableError as error:
                _log.warning("%s; the sync with AWS goes on in %d s", error, _RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 (ingestion must not end with the sync)
                _log.exception("The sync with AWS has failed, a bug in jobindex; it goes on in %d s", _RETRY_SECONDS)
                self._note_waiting(f"a bug in jobindex: {type(error).__name__}: {error}")
            await asyncio.sleep(_RETRY_SECONDS)

    async def _run(self) -> None:
        await self._show_ended()
        run: SyncRun | None = None
        looked_at = -LOOK_SECONDS
        while True:
            now = time.monotonic()
            if run is None or run.ended_at is not None or now - looked_at >= LOOK_SECONDS:
                await self._request_due()
                run, looked_at = await self._store.next_sync(), now
            if run is None or not self._may_begin(run):
                self._show(run)
                run = None
                await asyncio.sleep(LOOK_SECONDS)
                continue
            if run.kind is SyncKind.DETAILS and self._state.in_flight:
                await asyncio.sleep(_IDLE_SECONDS)  # messages first
            started = time.monotonic()
            run = await self._advance(run)
            seconds = time.monotonic() - started
            self._step_seconds = seconds if not self._step_seconds else 0.9 * self._step_seconds + 0.1 * seconds
            await asyncio.sleep(min(seconds, 1) if self._state.in_flight else 0)

    def _may_begin(self, run: SyncRun) -> bool:
        if not run.phase and self._state.connected_since is None:
            self._note_waiting(_HELD)
            return False
        if self._state.sync is not None and self._state.sync.reason == _HELD:
            self._note_waiting(None)
        return True

    async def _advance(self, run: SyncRun) -> SyncRun:
        """Make a step of a run; return the run afterwards."""
        position = json.loads(run.position)
        if not run.phase:
            run = replace(run, started_at=self._clock(), phase=_phases_of(run)[0])
            _log.info("The sync with AWS begins a run: %s", _named(run))
        phase = self._phases[run.phase]
        if "at" not in position:
            first, total = await phase.begin(run, is_complete="isIncomplete" not in position)
            run = replace(run, done=0, total=total)
            if first is None:
                return await self._record(run, Outcome(position=None), position)
            position["at"] = first
        self._show(run)
        try:
            outcome = await phase.step(run, position["at"])
        except AwsError as error:
            is_over = isinstance(error, AwsSourceError)
            return await self._end_phase(run, position, f"{error} ({run.phase})", is_over=is_over)
        except (DatabaseUnavailableError, LeaseLostError):
            raise
        except Exception as error:  # noqa: BLE001 (a defect must not stop the other phases)
            _log.exception("The sync with AWS cannot make a call of the phase %s, a bug in jobindex", run.phase)
            problem = f"a bug in jobindex: {type(error).__name__}: {error} ({run.phase})"
            return await self._end_phase(run, position, problem, is_over=False)
        return await self._record(run, outcome, position)

    async def _end_phase(self, run: SyncRun, position: Position, problem: str, *, is_over: bool) -> SyncRun:
        is_incomplete = is_over or run.phase in _REQUIRED
        outcome = Outcome(position=None, problems=[problem], is_incomplete=is_incomplete)
        return await self._record(run, outcome, position, is_over=is_over)

    async def _record(self, run: SyncRun, outcome: Outcome, former: Position, *, is_over: bool = False) -> SyncRun:
        """Commit the rows of a step with the run's progress."""
        position = {name: value for name, value in former.items() if name != "at"}
        if outcome.is_incomplete:
            position["isIncomplete"] = True
        phases, of_phase = _phases_of(run), run.phase
        phase: str | None = of_phase
        if outcome.position is not None:
            position["at"] = outcome.position
        else:
            phase = None if is_over else next(iter(phases[phases.index(of_phase) + 1 :]), None)
        calls, throttled = self._caller.take_counts()
        problems = [*outcome.problems, *self._clock_problems(run)]
        for problem in problems:
            if problem not in run.problems:
                _log.warning("The sync with AWS: %s", problem)
        as_of = None if outcome.as_of is None else from_milliseconds(outcome.as_of)
        rows = len(outcome.rows) + len(outcome.members)
        run = replace(
            run,
            phase=phase or run.phase,
            position=json.dumps(position, separators=(",", ":")),
            as_of=run.as_of or as_of,
            done=run.done + outcome.done,
            rows=run.rows + rows,
            calls=run.calls + calls,
            throttled=run.throttled + throttled,
            problems=tuple(dict.fromkeys((*run.problems, *problems)))[:PROBLEMS_MAXIMUM],
        )
        is_complete = phase is None and "isIncomplete" not in position
        if phase is None:
            run = replace(run, ended_at=self._clock(), is_complete=is_complete)
        is_check = run.kind in CHECKS
        step = SyncStep(
            run=run,
            rows=outcome.rows,
            listed=outcome.listed,
            members=outcome.members,
            whole_group=outcome.whole_group,
            compared=outcome.compared if is_check or of_phase == AbsentJobsPhase.name else frozenset(),
            repairs=self._plan.repairs or not is_check,
            filled_at=run.as_of if is_complete and run.kind is SyncKind.FILL else None,
            reconciled_at=run.as_of if is_complete and is_check else None,
        )
        synced = await self._store.record_sync(step, now=self._clock())
        self._metrics.sync_rows.labels(of_phase).inc(rows)
        self._on_applied((), synced.changed)
        if synced.deferred:
            self._on_deferred(synced.deferred)
        for kind, count in synced.differences.items():
            self._metrics.differences.labels(kind).inc(count)
        for reason in synced.refused.values():
            _log.error("The database refuses a row of AWS's answer, which is a bug in jobindex: %s", reason)
        run = replace(run, differences=run.differences + sum(synced.differences.values()))
        if run.ended_at is not None:
            await self._end(run)
        return run

    def _clock_problems(self, run: SyncRun) -> Sequence[str]:
        skew = self._caller.skew_seconds
        if abs(skew) <= SKEW_SECONDS or any(_CLOCK in problem for problem in run.problems):
            return ()
        return [f"{_CLOCK} {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} AWS's"]

    async def _end(self, run: SyncRun) -> None:
        _log.info(
            "The sync with AWS has ended a run: %s, %s; %d rows, %d calls, %d differences",
            _named(run),
            "complete" if run.is_complete else "incomplete",
            run.rows,
            run.calls,
            run.differences,
        )
        if run.kind is SyncKind.FILL:
            await self._store.request_sync(SyncKind.DETAILS, now=self._clock())
        await self._show_ended()

    async def _show_ended(self) -> None:
        """Show the results of the ended runs."""
        times = await self._store.sync_times()
        self._state.filled_at, self._state.reconciled_at = times.filled_at, times.reconciled_at
        problems: dict[str, None] = {}
        kinds = set()
        for run in await self._store.sync_runs(limit=RUNS_MAXIMUM):
            if run.ended_at is not None and run.kind not in kinds:
                kinds.add(run.kind)
                problems |= dict.fromkeys(run.problems)
                if run.kind in _WHOLE:  # it has asked about everything that earlier runs could not get
                    break
        self._problems = tuple(problems)
        self._show(None)

    def _show(self, run: SyncRun | None) -> None:
        status = SyncStatus(
            mode=self._plan.mode,
            is_first=self._state.filled_at is None,
            reason=None if self._state.sync is None else self._state.sync.reason,
            problems=tuple(dict.fromkeys((*(() if run is None else run.problems), *self._problems)))[:PROBLEMS_MAXIMUM],
        )
        if run is not None:
            status = replace(
                status,
                kind=run.kind,
                phase=run.phase or None,
                done=run.done,
                total=run.total,
                rows=run.rows,
                calls=run.calls + self._caller.calls,
                throttled=run.throttled + self._caller.throttled,
                seconds_left=self._seconds_left(run),
            )
        self._state.sync = status

    def _seconds_left(self, run: SyncRun) -> int | None:
        """Estimate the seconds of the phase from the calls left, by the budget or the measured speed."""
        if run.total is None or not run.phase:
            return None
        phase = self._phases[run.phase]
        calls = max(0, run.total - run.done) * phase.calls_per_item
        return round(calls * max(1 / self._caller.budget.rate(phase.operation), self._step_seconds))

    async def _request_due(self) -> None:
        """Request the runs whose time has come."""
        now = self._clock()
        runs = await self._store.sync_runs(limit=RUNS_MAXIMUM)
        has_missed = self._has_missed_messages(runs, now)  # also during a fill, because it looks at the connection
        if self._state.connected_since is None and any(run.ended_at is None for run in runs):
            return  # a run that may not begin would stop one that has begun
        if self._state.filled_at is None and _is_due(runs, (SyncKind.FILL,), self._schedule.refill, now):
            await self._store.request_sync(SyncKind.FILL, now=now)
        if self._plan.mode == "check" and any(run.kind is SyncKind.FILL and run.ended_at for run in runs):
            if has_missed:
                await self._store.request_sync(SyncKind.PENDING, now=now)
            if _is_due(runs, _WHOLE, self._schedule.all, now):
                await self._store.request_sync(SyncKind.ALL, now=now)
            if _is_due(runs, (SyncKind.ACTIVE, *_WHOLE), self._schedule.active, now):
                await self._store.request_sync(SyncKind.ACTIVE, now=now)

    def _has_missed_messages(self, runs: Sequence[SyncRun], now: datetime) -> bool:
        """Return whether messages were missed after the start of the last run that lists pending executions.

        The times are stored: a restart, or another replica, has them.
        """
        if self._state.ingestion is Ingestion.CONNECTED:
            if time.monotonic() - self._connected_at >= _BROKEN_SECONDS:
                self._reconnected_at = now
            self._connected_at = time.monotonic()
        missed = [at for at in (self._state.complete_since, self._reconnected_at) if at is not None]
        begun = [run.started_at for run in runs if run.kind in _LIST_PENDING and run.started_at is not None]
        return bool(missed) and max(missed) > max(begun, default=max(missed))


def _is_due(runs: Sequence[SyncRun], kinds: Sequence[SyncKind], every: timedelta, now: datetime) -> bool:
    """Return whether the last run of these kinds ended so long ago; not while one is open.

    A run that ended after `now`, by a clock that was ahead, does not count.
    """
    return not any(
        run.kind in kinds and (run.ended_at is None or timedelta(0) <= now - run.ended_at < every) for run in runs
    )


def _phases_of(run: SyncRun) -> Sequence[str]:
    return [name for name in _PHASES[run.kind] if run.with_groups or name != "thing groups"]


def _named(run: SyncRun) -> str:
    return f"{run.kind} {run.job_id}".rstrip()
