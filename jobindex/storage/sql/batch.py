"""A batch of reports, merged in an open transaction by the statements of `merge.py` and `readings.py`."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import orjson

from jobindex.errors import MessageError
from jobindex.model.jobs import (
    JobDeletion,
    JobExecutionReport,
    JobReport,
    PendingListReport,
    RejectedMessage,
    Report,
    ThingGroupReport,
    to_milliseconds,
)
from jobindex.model.store import NAMED_MAXIMUM, Applied, Changed, RejectedLimits, Retried
from jobindex.storage.sql import merge, readings, retention
from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.counts import CHANGES_KEPT
from jobindex.storage.sql.rejected import FORGET_REJECTED, READ_REJECTED, REJECT_AGAIN, kept_message
from jobindex.storage.sql.rows import (
    execution_rows,
    job_rows,
    pending_list_rows,
    rejected_row,
    sighting_rows,
    thing_group_row,
)

PLACES_MAXIMUM = 1000
"""Namespaces of groups tied by one batch that are looked at, to say where jobs read otherwise."""


def apply(
    reports: Sequence[Report],
    rejected: Sequence[RejectedMessage],
    now: datetime,
    limits: RejectedLimits,
    writer: Connection,
) -> Applied:
    """Merge reports and keep rejected messages; tell what changed, and how many of these had to go for the limits."""
    changed = _merge(reports, rejected, now, writer)
    discarded = 0
    if rejected:
        kept = {"max_messages": limits.max_messages, "max_bytes": limits.max_bytes}
        discarded = writer.execute(merge.DISCARD_REJECTED, kept).rowcount
    return Applied(discarded=discarded, changed=changed)


def retry(
    ids: Collection[int],
    parse: Callable[[str, bytes], Sequence[Report]],
    now: datetime,
    writer: Connection,
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
    changed = _merge(reports, (), now, writer)
    writer.execute(FORGET_REJECTED, {"ids": json.dumps(applied)})
    writer.executemany(REJECT_AGAIN, [{"id": id_, "reason": why} for id_, why in rejected.items()])
    missing = tuple(id_ for id_ in dict.fromkeys(ids) if id_ not in rejected and id_ not in applied)
    return Retried(applied=tuple(applied), rejected=rejected, missing=missing, changed=changed)


def _merge(
    reports: Sequence[Report], rejected: Sequence[RejectedMessage], now: datetime, writer: Connection
) -> Changed:
    """Merge what counts of the reports, read again what they change, and keep rejected messages; tell what changed."""
    horizon = retention.horizon_in_force(writer, now)
    reports = retention.accepted(writer, reports, horizon)
    deletions = [report for report in reports if isinstance(report, JobDeletion)]
    jobs: list[JobReport | JobDeletion] = [report for report in reports if isinstance(report, JobReport)]
    jobs += deletions
    executions = [report for report in reports if isinstance(report, JobExecutionReport)]
    lists = [report for report in reports if isinstance(report, PendingListReport)]
    groups = {report for report in reports if isinstance(report, ThingGroupReport)}
    batch = {
        "job_ids": _json({report.job_id for report in jobs}),
        "executions": _json(execution_rows(executions)),
        "sightings": _json(sighting_rows(executions)),
        "lists": _json(pending_list_rows(lists)),
        "groups": _json([thing_group_row(report) for report in groups]),
        "deleted_job_ids": _json({report.job_id for report in deletions}),
        "listed_things": _json({report.thing_name for report in lists}),
        "now": to_milliseconds(now),
        "told_since": horizon,
        "changes_maximum": CHANGES_KEPT,
    }
    for told, rows in job_rows(jobs).items():
        writer.execute(merge.merge_job(told), batch | {"jobs": _json(rows)})
    writer.executemany(merge.KEEP_REJECTED, [rejected_row(message, now) for message in rejected])
    tied = writer.execute(merge.NEWLY_TIED, batch).fetchall()
    writer.execute(merge.MERGE_THING_GROUP, batch)
    for statement in (readings.CHANGED_EXECUTION, *merge.MERGE, *readings.CHANGED, *readings.READ_AGAIN):
        writer.execute(statement, batch)
    changed = _changed(writer, tied)
    for statement in readings.CLEAR:
        writer.execute(statement)
    return changed


def _changed(writer: Connection, tied: Sequence[tuple[str, str]]) -> Changed:
    """Name what reads otherwise; a thing group that was tied to its id now does so in any of its jobs."""
    limit = {"named_maximum": NAMED_MAXIMUM + 1}
    job_ids = [job_id for (job_id,) in writer.execute(readings.CHANGED_READINGS, limit)]
    states = writer.execute(readings.CHANGED_STATES, limit).fetchall()
    are_many = len(job_ids) > NAMED_MAXIMUM or len(states) > NAMED_MAXIMUM
    namespace_ids = {namespace_id for (namespace_id,) in writer.execute(readings.CHANGED_NAMESPACES)} - {None}
    of_groups = _namespaces_of_groups(writer, tied)
    return Changed(
        job_ids=None if are_many or tied else frozenset((*job_ids, *(job_id for job_id, _ in states))),
        namespace_ids=None if of_groups is None else frozenset(namespace_ids | of_groups),
        thing_names=None if len(states) > NAMED_MAXIMUM else frozenset(thing_name for _, thing_name in states),
    )


def _namespaces_of_groups(writer: Connection, tied: Sequence[tuple[str, str]]) -> set[str] | None:
    """Return where the jobs of tied groups are; None where there are too many places to look at."""
    thing_groups = [key for name, id_ in tied for key in (f"name:{name}", f"id:{id_}")]
    places = {"thing_groups": _json(thing_groups), "maximum": PLACES_MAXIMUM + 1}
    found = [namespace_id for (namespace_id,) in writer.execute(readings.NAMESPACES_OF_GROUPS, places)]
    return None if len(found) > PLACES_MAXIMUM else set(found) - {""}


def _json(values: Collection[object]) -> str:
    return orjson.dumps(list(values)).decode()
