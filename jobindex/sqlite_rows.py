"""Reports as rows: the parameters of the statements in `sqlite_merge.py`.

Times become milliseconds since the epoch, and a report's place in the merge order becomes a stamp, as
`migrations/sqlite/0001_index.sql` explains.
"""

import json
from datetime import datetime
from hashlib import sha256

from jobindex.jobs import (
    EXECUTION_STATUS_RANK,
    JOB_STATUS_RANK,
    JobDeletion,
    JobExecutionReport,
    JobReport,
    PendingListReport,
    RejectedMessage,
    ThingGroupReport,
    to_milliseconds,
)

NEVER = -2
"""The time of a register that was never told."""
UNTIMED = -1
"""The time of a message that bears none: less than every time."""
_RANKS = 8
"""A job's stamp is its time times this, plus the rank of the status told with it."""

_Row = dict[str, object]


def job_row(report: JobReport, now: datetime, horizon: int) -> _Row:
    """Return the parameters of MERGE_JOB for what was told of a job while a horizon is in force."""
    stamp = _time(report.time) * _RANKS + (JOB_STATUS_RANK[report.status] if report.status else 0)
    registers: _Row = {
        "namespace_id": report.namespace_id,
        "status": report.status,
        "target_selection": report.target_selection,
        "thing_group_id": report.thing_group_id,
        "thing_group_name": report.thing_group_name,
        "target_group_names": _name_keys(report.target_group_names),
        "is_concurrent": report.is_concurrent,
        "created_at": _optional(report.created_at),
        "completed_at": _optional(report.completed_at),
        "job_arn": report.job_arn,
    }
    stamps = {f"{name}_stamp": NEVER * _RANKS if value is None else stamp for name, value in registers.items()}
    return {
        "job_id": report.job_id,
        **registers,
        **stamps,
        "earliest_at": _optional(report.earliest_at),
        "latest_at": _optional(report.latest_at),
        "born_at": _time(report.born_at, NEVER),
        "deleted_at": NEVER,
        "now": to_milliseconds(now),
        "told_since": horizon,
    }


def deletion_row(report: JobDeletion, now: datetime, horizon: int) -> _Row:
    """Return the parameters of MERGE_JOB for a deletion, which tells nothing else of the job."""
    return {**job_row(JobReport(job_id=report.job_id), now, horizon), "deleted_at": _time(report.time)}


def execution_row(report: JobExecutionReport) -> _Row:
    """Return the parameters of MERGE_EXECUTION and MERGE_SIGHTING."""
    return {
        "job_id": report.job_id,
        "thing_name": report.thing_name,
        "status": report.status,
        "status_at": _time(report.time),
        "execution_number": report.execution_number,
        "version_number": report.version_number,
        "status_rank": EXECUTION_STATUS_RANK[report.status],
        "pending_at": _time(report.pending_at, NEVER),
    }


def pending_list_row(report: PendingListReport) -> _Row:
    """Return the parameters of MERGE_PENDING_LIST."""
    return {
        "thing_name": report.thing_name,
        "namespace_id": report.namespace_id or "",
        "listed_at": to_milliseconds(report.listed_at),
    }


def thing_group_row(report: ThingGroupReport) -> _Row:
    """Return the parameters of MERGE_THING_GROUP."""
    return {
        "thing_group_name": report.thing_group_name or "",
        "thing_group_id": report.thing_group_id or "",
    }


def rejected_row(message: RejectedMessage, now: datetime) -> _Row:
    """Return the parameters of KEEP_REJECTED."""
    digest = sha256(message.topic.encode() + b"\0" + message.payload).digest()
    return {
        "digest": digest,
        "now": to_milliseconds(now),
        "topic": message.topic,
        "payload": message.payload,
        "reason": message.reason,
    }


def _time(time: datetime | None, absent: int = UNTIMED) -> int:
    return absent if time is None else to_milliseconds(time)


def _optional(time: datetime | None) -> int | None:
    return None if time is None else to_milliseconds(time)


def _name_keys(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else json.dumps([f"name:{name}" for name in names])
