"""Executions, a page at a time: of a job, of a thing, and those that wait; read in a transaction of its own.

Positions of pages are opaque to who holds them: the key of the last row in JSON.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from jobindex.errors import InvalidRequestException, ResourceNotFoundException
from jobindex.model.jobs import to_milliseconds
from jobindex.model.views import ExecutionPage, ExecutionState, JobExecution
from jobindex.storage.sql.connection import Connection, Row
from jobindex.storage.sql.counts import STATE
from jobindex.storage.sql.index import check_listed, time_of
from jobindex.storage.sql.scope import IN_VISIBLE, Visible, encoded, is_visible
from jobindex.storage.sql.things import check_heard_of

_Key = Callable[[Row], Sequence[object]]

_EXECUTIONS = f"""
SELECT
    executions.*,
    {STATE} AS state,
    job_summaries.namespace_id AS job_namespace_id
FROM executions
CROSS JOIN jobs ON jobs.job_id = executions.job_id
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, jobs.job_id)
WHERE {{conditions}}
AND executions.status <> 'DELETED'
"""

LOOKED_AT_MAXIMUM = 5000
"""Waiting executions that a page of one namespace looks at, however few are of it."""

_WAITING = "(executions.waiting_since, executions.job_id, executions.thing_name)"

_LAST_LOOKED_AT = """
SELECT waiting_since, job_id, thing_name
FROM executions
WHERE {conditions}
ORDER BY waiting_since, job_id, thing_name
LIMIT 1 OFFSET :maximum
"""


@dataclass(frozen=True, slots=True)
class _ExecutionFilter:
    conditions: list[str]
    parameters: dict[str, object] = field(default_factory=dict)

    def add(self, condition: str, **parameters: object) -> None:
        self.conditions.append(condition)
        self.parameters.update(parameters)


def _wanted(condition: str, visible: Visible, **parameters: object) -> _ExecutionFilter:
    wanted = _ExecutionFilter([condition], parameters)
    if visible is not None:
        wanted.add(f"job_summaries.namespace_id {IN_VISIBLE}", visible=encoded(visible))
    return wanted


def read_execution(connection: Connection, *, job_id: str, thing_name: str, visible: Visible = None) -> JobExecution:
    """Return an execution; ResourceNotFoundException without one, or where its job is not visible."""
    statement = _EXECUTIONS.format(conditions="executions.job_id = :job_id AND executions.thing_name = :thing_name")
    row = connection.execute(statement, {"job_id": job_id, "thing_name": thing_name}).fetchone()
    if row is None or not is_visible(row["job_namespace_id"], visible):
        raise ResourceNotFoundException(f"Job execution of {job_id} on {thing_name} cannot be found.")
    return _execution(row)


def read_executions_of_job(
    connection: Connection,
    *,
    job_id: str,
    state: ExecutionState | None,
    after: str | None,
    limit: int,
    visible: Visible = None,
) -> ExecutionPage:
    """Return executions of a job by the names of their things; ResourceNotFoundException where it is not listed."""
    check_listed(connection, job_id, visible)
    wanted = _ExecutionFilter(["executions.job_id = :job_id"], {"job_id": job_id})
    if state is not None:
        wanted.add(f"({STATE}) = :state", state=state)
    if after is not None:
        (thing_name,) = _decode(after, str)
        wanted.add("executions.thing_name > :thing_name", thing_name=thing_name)
    return _page(connection, wanted, "executions.thing_name", limit, lambda row: (row["thing_name"],))


def read_executions_of_thing(
    connection: Connection,
    *,
    thing_name: str,
    namespace_id: str | None,
    state: ExecutionState | None,
    job_id: str | None,
    after: str | None,
    limit: int,
    visible: Visible = None,
) -> ExecutionPage:
    """Return executions on a thing, those queued last first; ResourceNotFoundException for an unknown thing."""
    check_heard_of(connection, thing_name, visible)
    wanted = _wanted("executions.thing_name = :thing_name", visible, thing_name=thing_name)
    if state is not None:
        wanted.add(f"({STATE}) = :state", state=state)
    if namespace_id is not None:
        wanted.add("job_summaries.namespace_id = :namespace_id", namespace_id=namespace_id)
    if job_id is not None:
        wanted.add("executions.job_id = :job_id", job_id=job_id)
    if after is not None:
        queued_at, after_job_id = _decode(after, int, str)
        wanted.add(
            "(executions.queued_at, executions.job_id) < (:queued_at, :after_job_id)",
            queued_at=queued_at,
            after_job_id=after_job_id,
        )
    order = "executions.queued_at DESC, executions.job_id DESC"
    return _page(connection, wanted, order, limit, lambda row: (row["queued_at"], row["job_id"]))


def read_waiting(
    connection: Connection,
    *,
    since: datetime,
    namespace_id: str | None,
    after: str | None,
    limit: int,
    visible: Visible = None,
) -> ExecutionPage:
    """Return executions pending since before `since`, those that wait longest first.

    Who sees some namespaces alone has a page looked for until it is full: a shorter one, and the position where it
    ends, would tell of the others.
    """
    wanted = _wanted("executions.waiting_since < :since", visible, since=to_milliseconds(since))
    if after is not None:
        waiting_since, job_id, thing_name = _decode(after, int, str, str)
        wanted.add(
            f"{_WAITING} > (:after, :job_id, :thing_name)", after=waiting_since, job_id=job_id, thing_name=thing_name
        )
    last = None
    if namespace_id is not None and visible is None:
        last = connection.execute(
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
    page = _page(connection, wanted, order, limit, _waiting_key)
    if page.next_position is None and last is not None:
        return replace(page, next_position=json.dumps(_waiting_key(last)))
    return page


def _waiting_key(row: Row) -> Sequence[object]:
    return row["waiting_since"], row["job_id"], row["thing_name"]


def count_waiting(connection: Connection, *, since: datetime, maximum: int, visible: Visible = None) -> int:
    """Return how many executions have been pending since before `since`, at most `maximum`."""
    wanted = _wanted("executions.waiting_since < :since", visible, since=to_milliseconds(since))
    statement = _EXECUTIONS.format(conditions=" AND ".join(wanted.conditions)) + "LIMIT :maximum"
    parameters = {**wanted.parameters, "maximum": maximum}
    (count,) = connection.execute(f"SELECT count(*) FROM ({statement}) AS waiting", parameters).fetchone()
    return int(count)


def _page(connection: Connection, wanted: _ExecutionFilter, order: str, limit: int, key: _Key) -> ExecutionPage:
    statement = _EXECUTIONS.format(conditions=" AND ".join(wanted.conditions)) + f"ORDER BY {order} LIMIT :limit"
    rows = connection.execute(statement, {**wanted.parameters, "limit": limit + 1}).fetchall()
    page = rows[:limit]
    return ExecutionPage(
        executions=[_execution(row) for row in page],
        next_position=json.dumps(key(page[-1])) if rows[limit:] else None,
    )


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


def _execution(row: Row) -> JobExecution:
    queued_at, started_at = time_of(row["queued_at"]), time_of(row["started_at"])
    return JobExecution(
        job_id=row["job_id"],
        thing_name=row["thing_name"],
        namespace_id=row["job_namespace_id"],
        state=ExecutionState(row["state"]),
        queued_at=queued_at,
        # A start before it was queued last is that of an older try.
        started_at=started_at if row["started_at"] >= row["queued_at"] else None,
        last_updated_at=time_of(row["status_at"]),
        seen_pending_at=time_of(row["pending_at"]),
        waiting_since=time_of(row["waiting_since"]),
        execution_number=row["execution_number"],
        version_number=row["version_number"],
    )
