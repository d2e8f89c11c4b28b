"""Drift: how the index differed from AWS's answer.

A fact that no message reported is inferred, for example the `createdAt` of a job of which no job event was published
yet: AWS's exact value is news, but not a difference.
"""

from typing import NamedTuple

from jobindex.model.jobs import JobStatus, from_milliseconds
from jobindex.model.sync import Difference, DifferenceKind
from jobindex.model.views import ExecutionState


class JobFacts(NamedTuple):
    """The facts of a listed job that are compared; times in milliseconds."""

    status: JobStatus
    is_status_reported: bool
    namespace_id: str | None
    created_at: int
    completed_at: int | None
    last_updated_at: int


def job_difference(job_id: str, was: JobFacts | None, now: JobFacts | None) -> Difference | None:
    """Return the difference of a job before and after the merge of AWS's answer; None if there is none."""
    if was is None or now is None:
        if was is now:
            return None
        kind = DifferenceKind.JOB_MISSING if was is None else DifferenceKind.JOB_DELETED
        return _difference(kind, job_id, None, was and was.status, now and now.status)
    if was.status is not now.status:
        return _difference(DifferenceKind.JOB_STATUS, job_id, None, was.status, now.status)
    before, after = _details(was, has_times=was.is_status_reported), _details(now, has_times=was.is_status_reported)
    names = [name for name in before if before[name] != after[name]]
    if not names:
        return None
    return _difference(DifferenceKind.JOB_DETAILS, job_id, None, _text(names, before), _text(names, after))


def execution_difference(
    job_id: str, thing_name: str, was: ExecutionState | None, now: ExecutionState | None
) -> Difference | None:
    """Return the same of an execution, by its states; None if it is not shown."""
    if was == now:
        return None
    if was is None:
        kind = DifferenceKind.EXECUTION_MISSING
    else:
        kind = DifferenceKind.EXECUTION_DELETED if now is None else DifferenceKind.EXECUTION_STATUS
    return _difference(kind, job_id, thing_name, was, now)


def _difference(
    kind: DifferenceKind, job_id: str, thing_name: str | None, was: str | None, now: str | None
) -> Difference:
    return Difference(kind=kind, job_id=job_id, thing_name=thing_name, was=was and str(was), now=now and str(now))


def _details(facts: JobFacts, *, has_times: bool) -> dict[str, str]:
    details = {"namespaceId": facts.namespace_id or "unknown"}
    if has_times:
        times = {
            "createdAt": facts.created_at,
            "completedAt": facts.completed_at,
            "lastUpdatedAt": facts.last_updated_at,
        }
        details |= {name: "unknown" if time is None else _shown(time) for name, time in times.items()}
    return details


def _shown(time: int) -> str:
    return from_milliseconds(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(names: list[str], details: dict[str, str]) -> str:
    return ", ".join(f"{name} {details[name]}" for name in names)
