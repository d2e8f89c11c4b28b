"""A batch of reports, merged in an open transaction by the statements of `merge.py` and `readings.py`."""

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

import orjson

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
from jobindex.sqlite.rows import (
    execution_row,
    job_rows,
    pending_list_row,
    rejected_row,
    sighting_rows,
    thing_group_row,
)
from jobindex.store import CHANGES_MAXIMUM


def merge_batch(
    reports: Sequence[Report], rejected: Sequence[RejectedMessage], now: datetime, writer: sqlite3.Connection
) -> None:
    """Merge what counts of the reports, read again what they change, and keep rejected messages."""
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


def _json(values: Collection[object]) -> str:
    return orjson.dumps(list(values)).decode()
