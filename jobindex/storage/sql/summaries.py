"""The row of a job in the list that ListJobs reads, and the keys by which its thing groups find it.

`listed` is the job in JSON, with placeholders for members known only on reading: `%()b` is the prefix of an unreported
ARN, `%(NAME)b` is thingGroupId if a message has tied an id to that name. So a tie rewrites no job.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache

import orjson

from jobindex.model.groups import group_keys, only_group_name
from jobindex.model.job import PLACES, Job
from jobindex.model.job_status import JobView
from jobindex.storage.sql.kinds import SELECTION_KINDS, STATUS_KINDS
from jobindex.storage.sql.tables import Values

_ARN, _GROUP_ID, _IS_CONCURRENT = PLACES["job_arn"], PLACES["thing_group_id"], PLACES["is_concurrent"]

# A job may have a hundred groups; most have one.
_CACHED_GROUPS, _CACHED_CHARACTERS = 8, 1200


def summary_row(job: Job, view: JobView, former: Values | None) -> Values:
    """Return a job's row in the list; `former` is the stored one.

    The lastUpdatedAt of a job without any time is its last change: an unchanged job keeps it.
    """
    kind = STATUS_KINDS[view.status] + SELECTION_KINDS[view.target_selection]
    created_at, namespace_id, groups, opening = (
        view.created_at,
        view.namespace_id,
        (_encoded_cached if len(view.groups) <= _CACHED_GROUPS else _encoded)(view.groups),
        _listed(job, view),
    )
    if view.is_timed:
        listed = f'{opening},"lastUpdatedAt":{view.last_updated_at / 1000}}}'
        return (created_at, job.job_id, kind, namespace_id, listed, groups, None)
    for changed_at in (None if former is None else former[6], view.last_updated_at):
        if changed_at is not None:
            listed = f'{opening},"lastUpdatedAt":{changed_at / 1000}}}'
            row = (created_at, job.job_id, kind, namespace_id, listed, groups, changed_at)
            if row == former:
                break
    return row


def _encoded(groups: Sequence[str]) -> str | None:
    return ",".join(orjson.dumps(group).decode() for group in groups) or None


_encoded_cached = lru_cache(maxsize=4096)(_encoded)


def group_rows(summary: Values | None) -> dict[Values, Values]:
    """Return a job's rows of GROUP_KEYS: keys and other columns."""
    if summary is None or summary[5] is None:
        return {}
    created_at, job_id, kind, namespace_id, _, groups, _ = summary
    keys = (_keys_cached if len(groups) <= _CACHED_CHARACTERS else _keys)(groups)
    return {(key, kind, created_at, job_id): (namespace_id or "",) for key in keys}


def _keys(groups: str) -> Collection[str]:
    return (*group_keys(orjson.loads(f"[{groups}]")),)


_keys_cached = lru_cache(maxsize=4096)(_keys)


def _listed(job: Job, view: JobView) -> str:
    """Return a job in JSON without its last member."""
    job_id, values = job.job_id, view.values
    arn, group_id, is_concurrent = values[_ARN], values[_GROUP_ID], values[_IS_CONCURRENT]
    quoted = f'"%()b{job_id}"' if arn is None else _quoted(arn)
    listed = f'{{"jobArn":{quoted},"jobId":"{job_id}","status":"{view.status.value}"'
    if is_concurrent is not None:
        listed += ',"isConcurrent":true' if is_concurrent else ',"isConcurrent":false'
    if view.target_selection is not None:
        listed += f',"targetSelection":"{view.target_selection.value}"'
    if group_id is not None:
        listed += f',"thingGroupId":"{group_id}"'
    elif (name := only_group_name(view.groups)) is not None:
        listed += f"%({name})b"
    listed += f',"createdAt":{view.created_at / 1000}'
    if view.completed_at is not None:
        listed += f',"completedAt":{view.completed_at / 1000}'
    return listed


def _quoted(arn: str) -> str:
    return orjson.dumps(arn).decode().replace("%", "%%")
