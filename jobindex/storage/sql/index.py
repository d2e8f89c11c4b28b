"""What the index tells of a job and of a namespace, read on a connection in a transaction of its own."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from jobindex.errors import ResourceNotFoundException
from jobindex.model.execution import NEVER
from jobindex.model.job import Job
from jobindex.model.job_status import process_details
from jobindex.model.jobs import JobStatus, TargetSelection, from_milliseconds, to_milliseconds
from jobindex.model.reports import UNTIMED
from jobindex.model.views import ACTIVITY_HOURS, ExecutionState, JobDescription, JobOutcome, Namespace, count_failures
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.kinds import STATUSES
from jobindex.storage.sql.row_access import Rows
from jobindex.storage.sql.scope import Visible, encoded, is_visible
from jobindex.storage.sql.source import read_arn_prefix
from jobindex.storage.sql.states import BatchStates

_IDS_OF_NAME = """
SELECT thing_group_id
FROM thing_groups
WHERE thing_group_name = :name
AND thing_group_id > ''
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


_SEEN_NAMESPACES = """
SELECT visible.value
FROM json_each(:visible) AS visible
WHERE {condition}
AND EXISTS (SELECT 1 FROM namespace_jobs WHERE namespace_jobs.namespace_id = visible.value)
ORDER BY visible.value
LIMIT :limit
"""


_IS_LISTED = """
SELECT job_summaries.namespace_id
FROM jobs
CROSS JOIN job_summaries ON (job_summaries.created_at, job_summaries.job_id) = (listed_created_at, jobs.job_id)
WHERE jobs.job_id = :job_id
"""


def read_job(
    connection: Connection, *, rows: Rows, job_id: str, arn_prefix: str, visible: Visible = None
) -> JobDescription:
    """Return a job; ResourceNotFoundException if it is not listed, or not visible."""
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
    for name in names:
        ids |= {id_ for (id_,) in connection.execute(_IDS_OF_NAME, {"name": name})}
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
        # Of a group whose ARN an older version did not keep, the name is known.
        targets=[arn for arn in targets if arn.startswith("arn:")] or None,
        comment=job.text("comment", life),
        reason_code=job.text("reason_code", life),
        deployment_id=job.text("deployment_id", life),
        deployment_name=job.text("deployment_name", life),
        configuration_arn=job.text("configuration_arn", life),
    )


def read_job_document(connection: Connection, *, rows: Rows, job_id: str, visible: Visible = None) -> str | None:
    """Return the document of a job; None without one, ResourceNotFoundException if it is not listed, or not visible."""
    check_listed(connection, job_id, visible)
    states = BatchStates(rows(connection))
    states.load_jobs([job_id])
    loaded = states.jobs[job_id]
    return None if loaded.former_life is None else loaded.job.text("document", loaded.former_life)


def check_listed(connection: Connection, job_id: str, visible: Visible) -> None:
    """Raise ResourceNotFoundException if a job is not listed, or not visible."""
    row = connection.execute(_IS_LISTED, {"job_id": job_id}).fetchone()
    if row is None or not is_visible(row[0], visible):
        raise not_found("Job", job_id)


def read_job_namespaces(
    connection: Connection, *, job_ids: Iterable[str], visible: Visible = None
) -> Mapping[str, str]:
    """Return the namespaces of those of these jobs that are visible."""
    rows = connection.execute(_NAMESPACES_OF_JOBS, {"job_ids": json.dumps(list(job_ids))})
    return {job_id: namespace_id for job_id, namespace_id in rows if is_visible(namespace_id, visible)}


def read_job_outcomes(
    connection: Connection, *, rows: Rows, job_ids: Iterable[str], visible: Visible = None
) -> Mapping[str, JobOutcome]:
    """Return the outcomes of those of these jobs that are listed and visible."""
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
    """Return the namespaces that are visible, in their order."""
    parameters = {"after": after, "limit": limit}
    if visible is None:
        statement = _NAMESPACES.format(condition="true" if after is None else "namespace_id > :after")
    else:
        statement = _SEEN_NAMESPACES.format(condition="true" if after is None else "visible.value > :after")
        parameters["visible"] = encoded(visible)
    rows = connection.execute(statement, parameters).fetchall()
    return [_namespace(connection, namespace_id, now) for (namespace_id,) in rows]


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
    """Replaces every placeholder in job_summaries.listed by nothing."""

    def __missing__(self, name: bytes) -> bytes:
        return b""


def counts(
    connection: Connection, joined: str, conditions: str, parameters: Mapping[str, object]
) -> Mapping[ExecutionState, int]:
    """Return how many executions, joined with what the conditions are about, are in each state."""
    rows = connection.execute(_COUNT_EXECUTIONS.format(joined=joined, conditions=conditions), parameters)
    return in_order(dict(rows.fetchall()))


def _executions(job: Job) -> Mapping[ExecutionState, int]:
    """Return how many executions of a job are in each state, without those that are 0."""
    return in_order(dict(zip(ExecutionState, job.executions, strict=True)))


def in_order(counts: Mapping[str, int]) -> Mapping[ExecutionState, int]:
    """Return counts by state in the order of the states, without those that are 0."""
    return {state: counts[state] for state in ExecutionState if counts.get(state)}


def time_of(milliseconds: int | None) -> datetime | None:
    """Return a time as it is stored; None where it is not known."""
    return None if milliseconds is None or milliseconds in {NEVER, UNTIMED} else from_milliseconds(milliseconds)


def not_found(what: str, name: str) -> ResourceNotFoundException:
    """Return the error that tells of what is unknown."""
    return ResourceNotFoundException(f"{what} {name} cannot be found.")
