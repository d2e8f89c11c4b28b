"""Queries about jobs and namespaces."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from jobindex.errors import ResourceNotFoundException
from jobindex.model.execution import NEVER
from jobindex.model.job import Job
from jobindex.model.job_status import process_details
from jobindex.model.jobs import JobStatus, TargetSelection, from_milliseconds, to_milliseconds
from jobindex.model.reports import UNTIMED
from jobindex.model.views import (
    ACTIVITY_HOURS,
    OTHER_NAMESPACES,
    ExecutionState,
    JobDescription,
    JobOutcome,
    Namespace,
    NamespaceCounts,
    count_failures,
)
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.kinds import STATUSES
from jobindex.storage.sql.row_access import Rows
from jobindex.storage.sql.scope import Visible, encoded, is_visible
from jobindex.storage.sql.source import read_arn_prefix
from jobindex.storage.sql.states import BatchStates

_IDS_OF_NAMES = """
SELECT thing_groups.thing_group_id
FROM json_each(:names) AS given
CROSS JOIN thing_groups ON thing_groups.thing_group_name = given.value
WHERE thing_groups.thing_group_id > ''
"""

_COUNT_EXECUTIONS = """
SELECT executions.state, count(*)
FROM executions {joined}
WHERE {conditions}
AND executions.state IS NOT NULL
GROUP BY 1
"""

_NAMESPACES_OF_JOBS = """
SELECT job_id, job_summaries.namespace_id
FROM json_each(:job_ids) AS asked
CROSS JOIN jobs ON jobs.job_id = asked.value
CROSS JOIN job_summaries USING (job_id)
WHERE job_summaries.created_at = listed_created_at
AND job_summaries.namespace_id IS NOT NULL
"""

_NAMESPACES = """
WITH RECURSIVE ids (namespace_id) AS (
    SELECT min(namespace_id)
    FROM namespace_jobs
    WHERE {condition}
    UNION ALL
    SELECT (SELECT min(namespace_id) FROM namespace_jobs WHERE namespace_jobs.namespace_id > ids.namespace_id)
    FROM ids
    WHERE ids.namespace_id IS NOT NULL
)
SELECT namespace_id
FROM ids
WHERE namespace_id IS NOT NULL
LIMIT :limit
"""


_VISIBLE_NAMESPACES = """
SELECT visible.value
FROM json_each(:visible) AS visible
WHERE {condition}
AND EXISTS (SELECT 1 FROM namespace_jobs WHERE namespace_jobs.namespace_id = visible.value)
ORDER BY visible.value
LIMIT :limit
"""


# The counts of the namespaces with the most jobs and the sums of the rest, in two scans.
_NAMESPACE_COUNTS = """
WITH apart AS (
    SELECT namespace_id
    FROM namespace_jobs
    WHERE namespace_id NOT IN ('', :other)
    AND length(namespace_id) <= :name_maximum
    GROUP BY namespace_id
    ORDER BY sum(jobs) DESC, namespace_id
    LIMIT :maximum
)
SELECT namespace_id, {state}, {counted}
FROM {table}
WHERE namespace_id = ''
OR namespace_id IN (SELECT namespace_id FROM apart)
UNION ALL
SELECT :other, {state}, CAST(sum({counted}) AS INTEGER)
FROM {table}
WHERE namespace_id <> ''
AND namespace_id NOT IN (SELECT namespace_id FROM apart)
GROUP BY {state}
"""
_NAME_MAXIMUM = 128

_IS_LISTED = """
SELECT job_summaries.namespace_id
FROM jobs
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, jobs.job_id)
WHERE jobs.job_id = :job_id
"""


def read_job(
    connection: Connection, *, rows: Rows, job_id: str, arn_prefix: str, visible: Visible = None
) -> JobDescription:
    """Return a job; raises like `check_listed`."""
    check_listed(connection, job_id, visible)
    states = BatchStates(rows(connection))
    states.load_jobs([job_id])
    loaded = states.jobs[job_id]
    life, summary = loaded.former_life, loaded.summary
    assert life is not None  # noqa: S101 (it is listed)
    assert summary is not None  # noqa: S101
    job = loaded.job
    groups = json.loads(f"[{summary[5] or ''}]")
    names = [group.removeprefix("name:") for group in groups if group.startswith("name:")]
    ids = {group.removeprefix("id:") for group in groups if group.startswith("id:")}
    ids |= {id_ for (id_,) in connection.execute(_IDS_OF_NAMES, {"names": json.dumps(names)})}
    listed = json.loads(str(summary[4]).encode() % _Placeholders())
    targets = json.loads(job.text("targets", life) or "[]")
    selection, is_concurrent = job.text("target_selection", life), job.number("is_concurrent", life)
    return JobDescription(
        job_id=job_id,
        job_arn=job.text("job_arn", life) or f"{read_arn_prefix(connection, arn_prefix)}:job/{job_id}",
        namespace_id=job.text("namespace_id", life),
        status=STATUSES[int(summary[2] or 0)],
        is_status_reported=job.text("status", life) is not None,
        target_selection=None if selection is None else TargetSelection(selection),
        thing_group_ids=sorted(ids),
        thing_group_names=names,
        is_concurrent=None if is_concurrent is None else bool(is_concurrent),
        created_at=from_milliseconds(int(summary[0] or 0)),
        is_created_at_reported=job.number("created_at", life) is not None,
        last_updated_at=from_milliseconds(round(listed["lastUpdatedAt"] * 1000)),
        completed_at=from_milliseconds(round(listed["completedAt"] * 1000)) if "completedAt" in listed else None,
        first_heard_at=from_milliseconds(loaded.job.arrived_at),
        executions=_executions(job),
        reported_process_details=process_details(job, life),
        description=job.text("description", life),
        # Older versions stored only the names of some groups.
        targets=[arn for arn in targets if arn.startswith("arn:")] or None,
        comment=job.text("comment", life),
        reason_code=job.text("reason_code", life),
        deployment_id=job.text("deployment_id", life),
        deployment_name=job.text("deployment_name", life),
        configuration_arn=job.text("configuration_arn", life),
    )


def read_job_document(connection: Connection, *, rows: Rows, job_id: str, visible: Visible = None) -> str | None:
    """Return a job's document, or None; raises like `check_listed`."""
    check_listed(connection, job_id, visible)
    states = BatchStates(rows(connection))
    states.load_jobs([job_id])
    loaded = states.jobs[job_id]
    return None if loaded.former_life is None else loaded.job.text("document", loaded.former_life)


def check_listed(connection: Connection, job_id: str, visible: Visible) -> None:
    """Raise ResourceNotFoundException if a job is not listed or not visible."""
    row = connection.execute(_IS_LISTED, {"job_id": job_id}).fetchone()
    if row is None or not is_visible(row[0], visible):
        raise not_found("Job", job_id)


def read_job_namespaces(
    connection: Connection, *, job_ids: Iterable[str], visible: Visible = None
) -> Mapping[str, str]:
    """Return the namespaces of the visible jobs among these."""
    rows = connection.execute(_NAMESPACES_OF_JOBS, {"job_ids": json.dumps(list(job_ids))})
    return {job_id: namespace_id for job_id, namespace_id in rows if is_visible(namespace_id, visible)}


def read_job_outcomes(
    connection: Connection, *, rows: Rows, job_ids: Iterable[str], visible: Visible = None
) -> Mapping[str, JobOutcome]:
    """Return the outcomes of the visible jobs among these."""
    states = BatchStates(rows(connection))
    states.load_jobs(job_ids)
    outcomes: dict[str, JobOutcome] = {}
    for job_id, loaded in states.jobs.items():
        if loaded.summary is None or loaded.former_life is None or not is_visible(loaded.former_namespace_id, visible):
            continue
        reported = process_details(loaded.job, loaded.former_life)
        outcomes[job_id] = JobOutcome(
            is_status_reported=loaded.was_status_reported,
            failures=count_failures(_executions(loaded.job), reported),
        )
    return outcomes


def read_namespaces(
    connection: Connection, *, after: str | None, limit: int, now: datetime, visible: Visible = None
) -> Sequence[Namespace]:
    """Return the visible namespaces in order."""
    parameters = {"after": after, "limit": limit}
    if visible is None:
        statement = _NAMESPACES.format(condition="true" if after is None else "namespace_id > :after")
    else:
        statement = _VISIBLE_NAMESPACES.format(condition="true" if after is None else "visible.value > :after")
        parameters["visible"] = encoded(visible)
    rows = connection.execute(statement, parameters).fetchall()
    return [_namespace(connection, namespace_id, now) for (namespace_id,) in rows]


def read_namespace_counts(connection: Connection, *, maximum: int) -> NamespaceCounts:
    """Return the counts of the `maximum` largest namespaces, of no namespace, and of the rest."""
    parameters = {"maximum": maximum, "other": OTHER_NAMESPACES, "name_maximum": _NAME_MAXIMUM}
    jobs: dict[str, Counter[JobStatus]] = defaultdict(Counter)
    statement = _NAMESPACE_COUNTS.format(table="namespace_jobs", state="kind", counted="jobs")
    for namespace_id, kind, count in connection.execute(statement, parameters):
        jobs[namespace_id][STATUSES[kind]] += count
    executions: dict[str, Counter[ExecutionState]] = defaultdict(Counter)
    statement = _NAMESPACE_COUNTS.format(table="namespace_executions", state="state", counted="executions")
    for namespace_id, state, count in connection.execute(statement, parameters):
        executions[namespace_id][ExecutionState(state)] += count
    return NamespaceCounts(jobs=jobs, executions=executions)


def _namespace(connection: Connection, namespace_id: str, now: datetime) -> Namespace:
    jobs: dict[JobStatus, int] = dict.fromkeys(JobStatus, 0)
    of_namespace = {"namespace_id": namespace_id}
    for kind, count in connection.execute(
        "SELECT kind, jobs FROM namespace_jobs WHERE namespace_id = :namespace_id", of_namespace
    ):
        jobs[STATUSES[kind]] += count
    executions = connection.execute(
        "SELECT state, executions FROM namespace_executions WHERE namespace_id = :namespace_id", of_namespace
    ).fetchall()
    hour = to_milliseconds(now) // 3_600_000
    hours = connection.execute(
        "SELECT hour, changes, changed_at FROM namespace_activity WHERE namespace_id = :namespace_id", of_namespace
    ).fetchall()
    activity = {row["hour"]: row["changes"] for row in hours}
    return Namespace(
        namespace_id=namespace_id or None,
        jobs={status: count for status, count in jobs.items() if count},
        executions=in_order(dict(executions)),
        last_change_at=time_of(max((row["changed_at"] for row in hours), default=None)),
        activity=[activity.get(hour - ago, 0) for ago in range(ACTIVITY_HOURS - 1, -1, -1)],
    )


class _Placeholders(dict[bytes, bytes]):
    def __missing__(self, name: bytes) -> bytes:
        return b""


def counts(
    connection: Connection, joined: str, conditions: str, parameters: Mapping[str, object]
) -> Mapping[ExecutionState, int]:
    """Count executions by state, after a join and conditions."""
    rows = connection.execute(_COUNT_EXECUTIONS.format(joined=joined, conditions=conditions), parameters)
    return in_order(dict(rows.fetchall()))


def _executions(job: Job) -> Mapping[ExecutionState, int]:
    return in_order(dict(zip(ExecutionState, job.executions, strict=True)))


def in_order(counts: Mapping[str, int]) -> Mapping[ExecutionState, int]:
    """Return counts in the order of states, without zeros."""
    return {state: counts[state] for state in ExecutionState if counts.get(state)}


def time_of(milliseconds: int | None) -> datetime | None:
    """Return a stored time, or None if unknown."""
    return None if milliseconds is None or milliseconds in {NEVER, UNTIMED} else from_milliseconds(milliseconds)


def not_found(kind: str, name: str) -> ResourceNotFoundException:
    """Return the error for an unknown resource."""
    return ResourceNotFoundException(f"{kind} {name} cannot be found.")
