"""A batch of reports, merged in an open transaction by the statements of `merge.py` and `readings.py`."""

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import orjson

from jobindex.errors import MessageError
from jobindex.jobs import (
    JobDeletion,
    JobExecutionReport,
    JobReport,
    PendingListReport,
    RejectedMessage,
    Report,
    ThingGroupReport,
    to_milliseconds,
)
from jobindex.sqlite import merge, readings, retention
from jobindex.sqlite.rejected import FORGET_REJECTED, READ_REJECTED, REJECT_AGAIN, kept_message
from jobindex.sqlite.rows import (
    execution_row,
    job_rows,
    pending_list_row,
    rejected_row,
    sighting_rows,
    thing_group_row,
)
from jobindex.store import CHANGES_MAXIMUM, NAMED_MAXIMUM, Applied, RejectedLimits, Retried


def apply(
    reports: Sequence[Report],
    rejected: Sequence[RejectedMessage],
    now: datetime,
    limits: RejectedLimits,
    writer: sqlite3.Connection,
) -> Applied:
    """Merge reports and keep rejected messages; tell what changed, and how many of these had to go for the limits."""
    job_namespaces = _merge(reports, rejected, now, writer)
    discarded = 0
    if rejected:
        kept = {"max_messages": limits.max_messages, "max_bytes": limits.max_bytes}
        discarded = writer.execute(merge.DISCARD_REJECTED, kept).rowcount
    return Applied(discarded=discarded, job_namespaces=job_namespaces)


def retry(
    ids: Collection[int],
    parse: Callable[[str, bytes], Sequence[Report]],
    now: datetime,
    writer: sqlite3.Connection,
) -> Retried:
    """Parse rejected messages again, and merge what is understood now."""
    reports: list[Report] = []
    applied: list[int] = []
    rejected: dict[int, str] = {}
    for row in writer.execute(READ_REJECTED, {"ids": json.dumps(list(ids))}).fetchall():
        kept = kept_message(row)
        try:
            reports += parse(kept.message.topic, kept.message.payload)
            applied.append(kept.id)
        except MessageError as error:
            rejected[kept.id] = str(error)
    _merge(reports, (), now, writer)
    writer.execute(FORGET_REJECTED, {"ids": json.dumps(applied)})
    writer.executemany(REJECT_AGAIN, [{"id": id_, "reason": why} for id_, why in rejected.items()])
    missing = tuple(id_ for id_ in dict.fromkeys(ids) if id_ not in rejected and id_ not in applied)
    return Retried(applied=tuple(applied), rejected=rejected, missing=missing)


def _merge(
    reports: Sequence[Report], rejected: Sequence[RejectedMessage], now: datetime, writer: sqlite3.Connection
) -> Mapping[str, str | None] | None:
    """Merge what counts of the reports, read again what they change, and keep rejected messages.

    Return the jobs that have changed with their namespaces, None where they are too many to name.
    """
    horizon = retention.horizon_in_force(writer, now)
    reports = retention.counted(writer, reports, horizon)
    deletions = [report for report in reports if isinstance(report, JobDeletion)]
    jobs: list[JobReport | JobDeletion] = [report for report in reports if isinstance(report, JobReport)]
    jobs += deletions
    executions = [report for report in reports if isinstance(report, JobExecutionReport)]
    lists = [report for report in reports if isinstance(report, PendingListReport)]
    groups = {report for report in reports if isinstance(report, ThingGroupReport)}
    batch = {
        "job_ids": _json({report.job_id for report in jobs}),
        "executions": _json([execution_row(report) for report in executions]),
        "sightings": _json(sighting_rows(executions)),
        "lists": _json([pending_list_row(report) for report in lists]),
        "groups": _json([thing_group_row(report) for report in groups]),
        "deleted_job_ids": _json({report.job_id for report in deletions}),
        "listed_things": _json({report.thing_name for report in lists}),
        "now": to_milliseconds(now),
        "told_since": horizon,
        "changes_maximum": CHANGES_MAXIMUM,
    }
    for told, rows in job_rows(jobs).items():
        writer.execute(merge.merge_job(told), batch | {"jobs": _json(rows)})
    writer.executemany(merge.KEEP_REJECTED, [rejected_row(message, now) for message in rejected])
    for statement in (readings.CHANGED_EXECUTION, *merge.MERGE, *readings.CHANGED, *readings.READ_AGAIN):
        writer.execute(statement, batch)
    job_namespaces = _name_changed(writer)
    for statement in readings.CLEAR:
        writer.execute(statement)
    return job_namespaces


def _name_changed(writer: sqlite3.Connection) -> Mapping[str, str | None] | None:
    named: dict[str, str | None] = {}
    for statement in readings.NAME_CHANGED:
        rows = writer.execute(statement, {"named_maximum": NAMED_MAXIMUM + 1}).fetchall()
        named |= dict(map(tuple, rows))
        if len(rows) > NAMED_MAXIMUM or len(named) > NAMED_MAXIMUM:
            return None
    return named


def _json(values: Collection[object]) -> str:
    return orjson.dumps(list(values)).decode()
