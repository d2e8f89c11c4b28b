"""The answers that the pure core implies, with the values of a store that was opened without an ARN prefix.

A store learns the region and account of its ARNs from any message; ARNs that no message reported are omitted here.
"""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobindex.model.attempts import AttemptView, ExecutionView
from jobindex.model.job_status import JobView
from jobindex.model.jobs import from_milliseconds
from jobindex.model.views import ExecutionAttempt, JobDescription, JobExecution

Views = Mapping[tuple[str, str], ExecutionView]


def pure_jobs(jobs: Mapping[str, JobView], executions: Views) -> dict[str, dict[str, Any]]:
    """Return the members of each job that the core determines."""
    return {
        job_id: {
            "status": job.status,
            "is_status_reported": job.is_status_reported,
            "namespace_id": job.namespace_id,
            "target_selection": job.target_selection,
            "created_at": from_milliseconds(job.created_at),
            "last_updated_at": from_milliseconds(job.last_updated_at),
            "completed_at": _time(job.completed_at),
            "executions": Counter(view.current.state for (of, _), view in executions.items() if of == job_id),
        }
        for job_id, job in jobs.items()
    }


def job_members(job: JobDescription) -> dict[str, Any]:
    """Return the same members of a job from a store."""
    names = ("status", "is_status_reported", "namespace_id", "target_selection", "created_at", "last_updated_at")
    return {
        **{name: getattr(job, name) for name in names},
        "completed_at": job.completed_at,
        "executions": Counter(job.executions),
    }


def pure_executions(executions: Views, jobs: Mapping[str, JobView]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the members of each execution that the core determines."""
    return {
        (job_id, thing_name): {
            "namespace_id": jobs[job_id].namespace_id,
            "seen_pending_at": None if view.seen_at is None else from_milliseconds(view.seen_at * 1000),
            "waiting_since": _time(view.waiting_since),
            "attempts": [_attempt(attempt) for attempt in (view.current, *view.former)],
        }
        for (job_id, thing_name), view in executions.items()
    }


def execution_members(execution: JobExecution) -> dict[str, Any]:
    """Return the same members of an execution from a store."""
    return {
        "namespace_id": execution.namespace_id,
        "seen_pending_at": execution.seen_pending_at,
        "waiting_since": execution.waiting_since,
        "attempts": [
            {name: getattr(attempt, name) for name in ExecutionAttempt.__slots__}
            for attempt in (execution, *execution.former_attempts)
        ],
    }


def pure_namespaces(
    jobs: Mapping[str, JobView], executions: Views
) -> dict[str | None, tuple[Counter[str], Counter[str]]]:
    """Return each namespace's counts of jobs by status and of executions by state."""
    namespaces: dict[str | None, tuple[Counter[str], Counter[str]]] = {}
    for job in jobs.values():
        namespaces.setdefault(job.namespace_id, (Counter(), Counter()))[0][job.status] += 1
    for (job_id, _), view in executions.items():
        namespaces[jobs[job_id].namespace_id][1][view.current.state] += 1
    return namespaces


def _attempt(view: AttemptView) -> dict[str, Any]:
    return {
        "state": view.state,
        "queued_at": _time(view.queued_at),
        "started_at": _time(view.started_at),
        "last_updated_at": _time(view.last_updated_at),
        "execution_number": view.execution_number,
        "version_number": view.version_number,
        "status_details": None if view.details is None else json.loads(view.details.text),
        "is_status_details_cut": view.details is not None and view.details.is_cut,
    }


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_milliseconds(milliseconds)
