"""Reports as rows: the parameters of the statements in `merge.py`.

Times become milliseconds since the epoch, and a report's place in the merge order becomes a stamp, as
`migrations/sqlite/0001_index.sql` explains. What a batch tells of a job several times becomes one row, by the
merge rules of `merge.py`: a job and each of its executions speak of it, and a row costs more than a fold.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import chain
from operator import attrgetter
from typing import Any

from jobindex.model.jobs import (
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
from jobindex.storage.sql.merge import REGISTERS

NEVER = -2
"""The time of a register that was never told."""
UNTIMED = -1
"""The time of a message that bears none: less than every time."""
_RANKS = 8
"""A job's stamp is its time times this, plus the rank of the status told with it."""

_UNSEEN = (NEVER, NEVER, NEVER)

_STAMPS = {name: f"{name}_stamp" for name in (*REGISTERS, "created_at")}

_REGISTERS = attrgetter(*REGISTERS)

_Row = dict[str, Any]


def job_rows(reports: Iterable[JobReport | JobDeletion]) -> Mapping[tuple[str, ...], Sequence[Sequence[Any]]]:
    """Return a row for each job, those of `merge_job` for the registers that are told in them."""
    rows: dict[str, _Row] = {}
    for report in reports:
        told = _job_row(report) if isinstance(report, JobReport) else _deletion_row(report)
        row = rows.setdefault(report.job_id, told)
        if row is not told:
            _merge_job(row, told)
    told_rows: dict[tuple[str, ...], list[Sequence[Any]]] = {}
    for row in rows.values():
        names = tuple(name for name in _STAMPS if name in row)
        values = [row.get(name) for name in ("job_id", "earliest_at", "latest_at", "born_at", "deleted_at")]
        for name in names:
            values += (row[name], row[_STAMPS[name]])
        told_rows.setdefault(names, []).append(values)
    return told_rows


def _job_row(report: JobReport) -> _Row:
    stamp = _time(report.time) * _RANKS + (JOB_STATUS_RANK[report.status] if report.status else 0)
    row: _Row = {"job_id": report.job_id}
    for name, value in zip(REGISTERS, _REGISTERS(report), strict=True):
        if value is not None:
            row[name] = value
            row[_STAMPS[name]] = stamp
    if report.is_concurrent is not None:
        row["is_concurrent"] = int(report.is_concurrent)
    if report.target_group_names is not None:
        row["target_group_names"] = json.dumps([f"name:{name}" for name in report.target_group_names])
    if report.completed_at is not None:
        row["completed_at"] = to_milliseconds(report.completed_at)
    if report.created_at is not None:
        row["created_at"] = to_milliseconds(report.created_at)
        row["created_at_stamp"] = stamp
    if report.earliest_at is not None:
        row["earliest_at"] = to_milliseconds(report.earliest_at)
    if report.latest_at is not None:
        row["latest_at"] = to_milliseconds(report.latest_at)
    if report.born_at is not None:
        row["born_at"] = to_milliseconds(report.born_at)
    return row


def _deletion_row(report: JobDeletion) -> _Row:
    return {"job_id": report.job_id, "deleted_at": _time(report.time)}


def _merge_job(row: _Row, told: _Row) -> None:
    """Merge into a row what another tells of the same job, as `merge_job` does."""
    for name in REGISTERS:
        stamp = _STAMPS[name]
        if name in told and (name not in row or (told[stamp], told[name]) > (row[stamp], row[name])):
            row[name], row[stamp] = told[name], told[stamp]
    if "created_at" in told and (
        "created_at" not in row
        or (told["created_at_stamp"], -told["created_at"]) > (row["created_at_stamp"], -row["created_at"])
    ):
        row["created_at"], row["created_at_stamp"] = told["created_at"], told["created_at_stamp"]
    if "earliest_at" in told:
        row["earliest_at"] = min(told["earliest_at"], row.get("earliest_at", told["earliest_at"]))
    for name in ("latest_at", "born_at", "deleted_at"):
        if name in told:
            row[name] = max(told[name], row.get(name, told[name]))


def execution_rows(reports: Iterable[JobExecutionReport]) -> Sequence[Sequence[Any]]:
    """Return a row of MERGE_EXECUTION for each execution: what is told with the greatest stamp."""
    rows: dict[tuple[str, str], tuple[tuple[int, ...], Sequence[Any]]] = {}
    for report in reports:
        key = (report.job_id, report.thing_name)
        stamp = _stamp(report)
        if key not in rows or stamp > rows[key][0]:
            rows[key] = stamp, _execution_row(report)
    return [row for _, row in rows.values()]


def _stamp(report: JobExecutionReport) -> tuple[int, ...]:
    """Return the stamp of an execution's status, as MERGE_EXECUTION compares it: what is absent is greater."""
    numbers = (report.execution_number, report.version_number)
    absent_or_told = ((1, 0) if number is None else (0, number) for number in numbers)
    return (_time(report.time), *chain.from_iterable(absent_or_told), EXECUTION_STATUS_RANK[report.status])


def _execution_row(report: JobExecutionReport) -> Sequence[Any]:
    return (
        report.job_id,
        report.thing_name,
        report.status,
        _time(report.time),
        report.execution_number,
        report.version_number,
        EXECUTION_STATUS_RANK[report.status],
        *_sighting(report),
    )


def sighting_rows(reports: Iterable[JobExecutionReport]) -> Sequence[Sequence[Any]]:
    """Return a row of MERGE_SIGHTING for each execution of which such a time is told: the greatest of each."""
    latest: dict[tuple[str, str], tuple[int, ...]] = {}
    for report in reports:
        times = _sighting(report)
        if times != _UNSEEN:
            key = (report.job_id, report.thing_name)
            latest[key] = tuple(map(max, times, latest.get(key, times)))
    return [(*key, *times) for key, times in latest.items()]


def _sighting(report: JobExecutionReport) -> tuple[int, ...]:
    """Return when an execution was last visible pending, was queued and was started."""
    return _time(report.pending_at, NEVER), _time(report.queued_at, NEVER), _time(report.started_at, NEVER)


def pending_list_rows(reports: Iterable[PendingListReport]) -> Sequence[Sequence[Any]]:
    """Return a row of MERGE_PENDING_LIST for each thing and namespace: the latest list."""
    latest: dict[tuple[str, str], int] = {}
    for report in reports:
        key = (report.thing_name, report.namespace_id or "")
        latest[key] = max(to_milliseconds(report.listed_at), latest.get(key, NEVER))
    return [(*key, listed_at) for key, listed_at in latest.items()]


def thing_group_row(report: ThingGroupReport) -> Sequence[Any]:
    """Return a row of MERGE_THING_GROUP."""
    return report.thing_group_name or "", report.thing_group_id or ""


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
