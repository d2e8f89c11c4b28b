"""Parses the ListJobs pages of a store."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import JobPage


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """AWS's JobSummary; None for an unknown member."""

    job_arn: str | None
    job_id: str
    status: JobStatus
    is_concurrent: bool | None
    target_selection: TargetSelection | None
    thing_group_id: str | None
    created_at: datetime
    last_updated_at: datetime
    completed_at: datetime | None


def summaries(page: JobPage) -> tuple[JobSummary, ...]:
    """Return the jobs on a page of a store that was opened without an ARN prefix."""
    return tuple(_summary(job) for job in json.loads(b"[%s]" % page.jobs))


def _summary(job: dict[str, Any]) -> JobSummary:
    selection = job.get("targetSelection")
    return JobSummary(
        job_arn=None if job["jobArn"] == f":job/{job['jobId']}" else job["jobArn"],
        job_id=job["jobId"],
        status=JobStatus(job["status"]),
        is_concurrent=job.get("isConcurrent"),
        target_selection=None if selection is None else TargetSelection(selection),
        thing_group_id=job.get("thingGroupId"),
        created_at=_time(job["createdAt"]),
        last_updated_at=_time(job["lastUpdatedAt"]),
        completed_at=_time(job["completedAt"]) if "completedAt" in job else None,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
