"""Pages of executions: of a job, of a thing, or pending for long.

A statement finds the keys of a page; the executions are then loaded and derived as in a batch. Positions are opaque to
clients: the key of the last row, in JSON.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from jobindex.errors import InvalidRequestException, ResourceNotFoundException
from jobindex.model import attempts
from jobindex.model.attempts import AttemptView
from jobindex.model.jobs import to_milliseconds
from jobindex.model.lists import DecidedLists
from jobindex.model.views import ExecutionAttempt, ExecutionPage, ExecutionState, JobExecution
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.index import check_listed, time_of
from jobindex.storage.sql.row_access import Rows
from jobindex.storage.sql.rows import LEFT_OUT_PLACE
from jobindex.storage.sql.scope import IN_VISIBLE, Visible, encoded
from jobindex.storage.sql.states import BatchStates, ExecutionKey, LoadedExecution, LoadedJob
from jobindex.storage.sql.things import check_heard_of

_Found = list[tuple[Sequence[object], JobExecution]]
"""Executions with their positions."""
_Key = Callable[[Row], Sequence[object]]

_EXECUTIONS = """
SELECT
    executions.job_id,
    executions.thing_name,
    executions.queued_at,
    executions.waiting_since
FROM executions
CROSS JOIN jobs ON jobs.job_id = executions.job_id
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, jobs.job_id)
WHERE {conditions}
AND executions.state IS NOT NULL
"""

LOOKED_AT_MAXIMUM = 5000
"""Pending executions that a page of one namespace reads, even if few are in the namespace."""

PAGE_CHARACTERS = 4 * 1024 * 1024
"""A page ends with the execution whose statusDetails exceed this; one execution may have 200 kB."""
_LOADED_AT_ONCE = 50

_WAITING = "(executions.waiting_since, executions.job_id, executions.thing_name)"

_LAST_LOOKED_AT = """
SELECT waiting_since, job_id, thing_name
FROM executions
WHERE {conditions}
ORDER BY waiting_since, job_id, thing_name
LIMIT 1 OFFSET :maximum
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    order: str
    key: _Key
    """Returns the position of a row."""
    limit: int
    state: ExecutionState | None = None
    position: Sequence[Any] = ()
    """The position of the last row of the previous page."""
    with_former: bool = False
    """Whether each earlier attempt is an execution of its own, after the current one."""


@dataclass(frozen=True, slots=True)
class _ExecutionFilter:
    conditions: list[str]
    parameters: dict[str, object] = field(default_factory=dict)

    def add(self, condition: str, **parameters: object) -> None:
        self.conditions.append(condition)
        self.parameters.update(parameters)


class ExecutionReader:
    """Reads the visible executions on a connection."""

    def __init__(self, connection: Connection, rows: Rows, arn_prefix: str, visible: Visible) -> None:
        self._connection = connection
        self._access = rows(connection)
        self._arn_prefix = arn_prefix
        self._visible = visible

    def read(self, *, job_id: str, thing_name: str) -> JobExecution:
        """Return a visible execution, or raise ResourceNotFoundException."""
        given = {"job_id": job_id, "thing_name": thing_name}
        wanted = self._wanted("executions.job_id = :job_id AND executions.thing_name = :thing_name", **given)
        for row in self._rows(wanted, "executions.job_id", 1):
            for execution in self._executions([row]):
                if execution is not None:
                    return execution
        raise ResourceNotFoundException(f"Job execution of {job_id} on {thing_name} cannot be found.")

    def of_job(
        self, *, job_id: str, state: ExecutionState | None, after: str | None, limit: int, with_former: bool = False
    ) -> ExecutionPage:
        """Return executions of a job by thing name."""
        check_listed(self._connection, job_id, self._visible)
        wanted = self._wanted("executions.job_id = :job_id", job_id=job_id)
        position = [] if after is None else _decode(after, str, *(_ATTEMPT if with_former else ()))
        if position:
            comparison = ">=" if with_former else ">"
            wanted.add(f"executions.thing_name {comparison} :thing_name", thing_name=position[0])
        asked = _Page(
            order="executions.thing_name",
            key=lambda row: (row["thing_name"],),
            limit=limit,
            state=state,
            position=position,
            with_former=with_former,
        )
        return self._page(wanted, asked)

    def of_thing(
        self,
        *,
        thing_name: str,
        namespace_id: str | None,
        state: ExecutionState | None,
        job_id: str | None,
        after: str | None,
        limit: int,
        with_former: bool = False,
    ) -> ExecutionPage:
        """Return executions on a thing, last queued first."""
        check_heard_of(self._connection, thing_name, self._visible)
        wanted = self._wanted("executions.thing_name = :thing_name", thing_name=thing_name)
        if namespace_id is not None:
            wanted.add("job_summaries.namespace_id = :namespace_id", namespace_id=namespace_id)
        if job_id is not None:
            wanted.add("executions.job_id = :job_id", job_id=job_id)
        position = [] if after is None else _decode(after, int, str, *(_ATTEMPT if with_former else ()))
        if position:
            wanted.add(
                f"(executions.queued_at, executions.job_id) {'<=' if with_former else '<'} (:queued_at, :after_job_id)",
                queued_at=position[0],
                after_job_id=position[1],
            )
        asked = _Page(
            order="executions.queued_at DESC, executions.job_id DESC",
            key=lambda row: (row["queued_at"], row["job_id"]),
            limit=limit,
            state=state,
            position=position,
            with_former=with_former,
        )
        return self._page(wanted, asked)

    def waiting(self, *, since: datetime, namespace_id: str | None, after: str | None, limit: int) -> ExecutionPage:
        """Return executions pending since before `since`, the longest pending first.

        For a restricted reader the search continues until the page is full: a short page would reveal other executions.
        """
        wanted = self._wanted("executions.waiting_since < :since", since=to_milliseconds(since))
        if after is not None:
            waiting_since, job_id, thing_name = _decode(after, int, str, str)
            wanted.add(
                f"{_WAITING} > (:after, :job_id, :thing_name)",
                after=waiting_since,
                job_id=job_id,
                thing_name=thing_name,
            )
        last = None
        if namespace_id is not None and self._visible is None:
            last = self._connection.execute(
                _LAST_LOOKED_AT.format(conditions=" AND ".join(wanted.conditions)),
                {**wanted.parameters, "maximum": LOOKED_AT_MAXIMUM},
            ).fetchone()
            if last is not None:
                wanted.add(
                    f"{_WAITING} <= (:last_since, :last_job_id, :last_thing_name)",
                    last_since=last["waiting_since"],
                    last_job_id=last["job_id"],
                    last_thing_name=last["thing_name"],
                )
        if namespace_id is not None:
            wanted.add("job_summaries.namespace_id = :namespace_id", namespace_id=namespace_id)
        order = "executions.waiting_since, executions.job_id, executions.thing_name"
        page = self._page(wanted, _Page(order=order, key=_waiting_key, limit=limit))
        if page.next_position is None and last is not None:
            return replace(page, next_position=json.dumps(_waiting_key(last)))
        return page

    def count_waiting(self, *, since: datetime, maximum: int) -> int:
        """Count executions pending since before `since`, up to `maximum`."""
        wanted = self._wanted("executions.waiting_since < :since", since=to_milliseconds(since))
        statement = _EXECUTIONS.format(conditions=" AND ".join(wanted.conditions)) + "LIMIT :maximum"
        parameters = {**wanted.parameters, "maximum": maximum}
        (count,) = self._connection.execute(f"SELECT count(*) FROM ({statement}) AS waiting", parameters).fetchone()
        return int(count)

    def _wanted(self, condition: str, **parameters: object) -> _ExecutionFilter:
        wanted = _ExecutionFilter([condition], parameters)
        if self._visible is not None:
            wanted.add(f"job_summaries.namespace_id {IN_VISIBLE}", visible=encoded(self._visible))
        return wanted

    def _rows(self, wanted: _ExecutionFilter, order: str, limit: int, *, offset: int = 0) -> Sequence[Row]:
        statement = _EXECUTIONS.format(conditions=" AND ".join(wanted.conditions))
        statement += f"ORDER BY {order} LIMIT :limit OFFSET :offset"
        parameters = {**wanted.parameters, "limit": limit, "offset": offset}
        return self._connection.execute(statement, parameters).fetchall()

    def _page(self, wanted: _ExecutionFilter, asked: _Page) -> ExecutionPage:
        if asked.state is not None:
            # An earlier attempt may have the state, too.
            others = " OR executions.further IS NOT NULL" if asked.with_former else ""
            wanted.add(f"(executions.state = :state{others})", state=asked.state.value)
        if asked.with_former:
            found = self._attempts(wanted, asked)
            page = found[: asked.limit]
            return ExecutionPage(
                executions=[execution for _, execution in page],
                next_position=json.dumps(page[-1][0]) if found[asked.limit :] else None,
            )
        rows = self._rows(wanted, asked.order, asked.limit + 1)
        executions: list[JobExecution] = []
        taken = characters = 0
        for execution in self._executions(rows[: asked.limit]):
            taken += 1
            if execution is not None:
                executions.append(execution)
                characters += _length(execution)
            if characters > PAGE_CHARACTERS:
                break
        return ExecutionPage(
            executions=executions,
            next_position=json.dumps(asked.key(rows[taken - 1])) if len(rows) > taken else None,
        )

    def _attempts(self, wanted: _ExecutionFilter, asked: _Page) -> _Found:
        found: _Found = []
        looked_at = 0
        while len(found) <= asked.limit:
            rows = self._rows(wanted, asked.order, asked.limit + 1, offset=looked_at)
            looked_at += len(rows)
            for row, execution in zip(rows, self._executions(rows), strict=True):
                if execution is None:
                    continue
                for number, attempt in enumerate((execution, *execution.former_attempts)):
                    position = [*asked.key(row), number]
                    is_of_last = position[:-1] == [*asked.position[:-1]]
                    if (not is_of_last or number > asked.position[-1]) and asked.state in {None, attempt.state}:
                        found.append((position, _as_execution(execution, attempt)))
            if len(rows) <= asked.limit:
                break
        return found

    def _executions(self, rows: Sequence[Row]) -> Iterator[JobExecution | None]:
        """Yield the execution of each row; None for a former life."""
        for start in range(0, len(rows), _LOADED_AT_ONCE):
            keys: list[ExecutionKey] = [
                (row["job_id"], row["thing_name"]) for row in rows[start : start + _LOADED_AT_ONCE]
            ]
            states = BatchStates(self._access)
            states.load_jobs(dict.fromkeys(job_id for job_id, _ in keys))
            states.load_executions(keys)
            for key in keys:
                yield self._execution(states.jobs[key[0]], states.executions[key])

    def _execution(self, job: LoadedJob, loaded: LoadedExecution) -> JobExecution | None:
        execution = loaded.execution
        assert job.former_life is not None  # noqa: S101 (the job is listed)
        assert loaded.row is not None  # noqa: S101 (it was loaded)
        view = attempts.view(execution, job.former_life, DecidedLists(is_left_out=bool(loaded.row[LEFT_OUT_PLACE])))
        if view is None:
            return None
        return JobExecution(
            **_members(view.current),
            job_id=execution.job_id,
            thing_name=execution.thing_name,
            thing_arn=execution.thing_arn or f"{self._arn_prefix}:thing/{execution.thing_name}",
            namespace_id=job.former_namespace_id,
            seen_pending_at=None if view.seen_at is None else time_of(view.seen_at * 1000),
            waiting_since=time_of(view.waiting_since),
            former_attempts=[ExecutionAttempt(**_members(former)) for former in view.former],
        )


def _length(execution: JobExecution) -> int:
    details = [attempt.status_details or {} for attempt in (execution, *execution.former_attempts)]
    return sum(len(name) + len(value) for one in details for name, value in one.items())


_ATTEMPT = (int,)
"""The type of the attempt's index, with which a position of attempts ends; 0 is the current attempt."""


def _members(view: AttemptView) -> dict[str, Any]:
    details = view.details
    return {
        "state": view.state,
        "queued_at": time_of(view.queued_at),
        "started_at": time_of(view.started_at),
        "last_updated_at": time_of(view.last_updated_at),
        "execution_number": view.execution_number,
        "version_number": view.version_number,
        "status_details": None if details is None else json.loads(details.text),
        "is_status_details_cut": details is not None and details.is_cut,
    }


def _as_execution(execution: JobExecution, attempt: ExecutionAttempt) -> JobExecution:
    if attempt is execution:
        return replace(execution, former_attempts=())
    members = {member.name: getattr(attempt, member.name) for member in fields(ExecutionAttempt)}
    return replace(execution, **members, waiting_since=None, seen_pending_at=None, former_attempts=())


def _waiting_key(row: Row) -> Sequence[object]:
    return row["waiting_since"], row["job_id"], row["thing_name"]


def _decode(position: str, *types: type) -> Sequence[Any]:
    try:
        key = json.loads(position)
    except (ValueError, RecursionError):
        key = None
    if not isinstance(key, list) or [type(member) for member in key] != list(types):
        raise InvalidRequestException(f"Invalid position: '{position}'")
    # Names are ASCII; a lone surrogate would reach SQLite.
    if any(abs(member) >= 1 << 63 if isinstance(member, int) else not member.isascii() for member in key):
        raise InvalidRequestException(f"Invalid position: '{position}'")
    return key
