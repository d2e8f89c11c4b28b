"""The pages of ListJobs in SQL: statements that read a page in the order of an index, at any size of the index.

Each combination of filters is a statement of its own: `(:status IS NULL OR status = :status)` would make
SQLite read every job.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from jobindex.jobs import JobStatus, JobSummary, TargetSelection, from_milliseconds, to_milliseconds
from jobindex.listing import ListJobsQuery

# A page from the jobs, each filter an equality in front of the keyset.
_LIST_ALL = """
SELECT {columns}
FROM job_summaries AS job
WHERE {filters}
ORDER BY job.created_at DESC, job.job_id DESC
LIMIT :limit
"""

# A page from the jobs of one thing group.
_LIST_GROUP = """
SELECT {columns}
FROM job_thing_groups AS member
CROSS JOIN job_summaries AS job USING (job_id)
WHERE {filters}
ORDER BY member.created_at DESC, member.job_id DESC
LIMIT :limit
"""

# The id of the only group is looked up when asked: a group tied later need not rewrite its jobs.
_COLUMNS = """
    job.job_arn,
    job.job_id,
    job.status,
    job.is_concurrent,
    job.target_selection,
    coalesce(job.thing_group_id, (
        SELECT min(tied.thing_group_id)
        FROM thing_groups AS tied
        WHERE tied.thing_group_name = job.thing_group_name
        AND tied.thing_group_id > ''
    )) AS thing_group_id,
    job.created_at,
    coalesce(job.latest_at, job.changed_at) AS last_updated_at,
    job.completed_at
"""

# The ways in which jobs may have been told with a group known by name: by the name, by an id tied to it.
KEYS_OF_GROUP_NAME = """
SELECT CASE WHEN thing_group_id = '' THEN 'name:' || thing_group_name ELSE 'id:' || thing_group_id END
FROM thing_groups
WHERE thing_group_name = :value
UNION SELECT 'name:' || thing_group_name FROM thing_groups WHERE thing_group_name = :value
"""

# The same for a group known by id.
KEYS_OF_GROUP_ID = """
SELECT CASE WHEN thing_group_name = '' THEN 'id:' || thing_group_id ELSE 'name:' || thing_group_name END
FROM thing_groups
WHERE thing_group_id = :value
UNION SELECT 'id:' || thing_group_id FROM thing_groups WHERE thing_group_id = :value
"""


def list_jobs_statements(
    query: ListJobsQuery, names: Sequence[str] | None, ids: Sequence[str] | None
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the statements whose rows together hold a page, and one job more where there is one.

    `names` and `ids` are the keys in `job_thing_groups` that the two group filters accept, None without
    them. Several keys are several statements: `IN (…)` would sort the whole group.
    """
    filters = query.filters
    parameters: dict[str, object] = {
        "limit": query.max_results + 1,
        "namespace_id": filters.namespace_id,
        "status": filters.status,
        "target_selection": filters.target_selection,
    }
    conditions = [
        f"job.{name} = :{name}" for name in ("namespace_id", "status", "target_selection") if parameters[name]
    ]
    driving, others = (ids, names) if names is None else (names, ids)
    source = "job" if driving is None else "member"
    if query.after is not None:
        conditions.append(f"({source}.created_at, {source}.job_id) < (:created_at, :job_id)")
        parameters["created_at"] = to_milliseconds(query.after.created_at)
        parameters["job_id"] = query.after.job_id
    if driving is None:
        yield _LIST_ALL.format(columns=_COLUMNS, filters=" AND ".join(conditions or ["true"])), parameters
        return
    conditions.append("member.thing_group = :thing_group")
    if others is not None:
        parameters["other_groups"] = json.dumps(others)
        conditions.append(
            "EXISTS (SELECT 1 FROM job_thing_groups AS other WHERE other.job_id = job.job_id"
            " AND other.thing_group IN (SELECT value FROM json_each(:other_groups)))"
        )
    statement = _LIST_GROUP.format(columns=_COLUMNS, filters=" AND ".join(conditions))
    for key in driving:
        yield statement, {**parameters, "thing_group": key}


def job_summary(row: sqlite3.Row) -> JobSummary:
    """Return the job in a row of such a statement."""
    return JobSummary(
        job_arn=row["job_arn"],
        job_id=row["job_id"],
        status=JobStatus(row["status"]),
        is_concurrent=None if row["is_concurrent"] is None else bool(row["is_concurrent"]),
        target_selection=None if row["target_selection"] is None else TargetSelection(row["target_selection"]),
        thing_group_id=row["thing_group_id"],
        created_at=from_milliseconds(row["created_at"]),
        last_updated_at=from_milliseconds(row["last_updated_at"]),
        completed_at=None if row["completed_at"] is None else from_milliseconds(row["completed_at"]),
    )
