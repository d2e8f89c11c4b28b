"""An ideal reader's knowledge of a job: its members come from job events only, its namespace from topics."""

from collections.abc import Callable, Iterator

from support.simulated_evidence import AttemptShown
from support.simulated_executions import LastAttempt
from support.simulated_knowledge import (
    Basis,
    Evidence,
    Fact,
    Knowledge,
    Known,
    Match,
    Reason,
    Unknowable,
    after,
    may_be_after,
)
from support.simulated_truth import TrueJob

_OPERATIONS = {
    "COMPLETED": {"completed"},
    "CANCELED": {"canceled", "cancellation_in_progress"},
    "DELETION_IN_PROGRESS": {"deletion_in_progress"},
}


def job_facts(evidence: Evidence, job_id: str) -> Iterator[Fact]:
    """Yield the knowledge of all members of a job, or only that there is none."""
    existence = _existence(evidence, job_id)
    yield Fact(job_id=job_id, thing_name=None, member="exists", knowledge=existence)
    job = evidence.fleet.jobs.get(job_id)
    if job is None:
        return
    members: dict[str, Callable[[Evidence, TrueJob], Knowledge]] = {
        "status": _status,
        "createdAt": _created_at,
        "completedAt": _completed_at,
        "description": _description,
        "targets": _targets,
        "targetSelection": _target_selection,
        "comment": _comment,
        "reasonCode": _reason_code,
        "jobProcessDetails": _process_details,
        "namespaceId": _namespace_id,
    }
    for member, know in members.items():
        knowledge = existence if isinstance(existence, Unknowable) else know(evidence, job)
        yield Fact(job_id=job_id, thing_name=None, member=member, knowledge=knowledge)


def _existence(evidence: Evidence, job_id: str) -> Knowledge:
    *former, last = evidence.fleet.job_lives[job_id]
    executions, events = evidence.executions_of_job[last], evidence.of_job[last]
    if last.deleted_at is None:
        if not executions and not events:
            return Unknowable(reason=Reason.NOT_NAMED)
        if evidence.moved_unseen(last):
            return Unknowable(reason=Reason.DELETION_NOT_SHOWN)
        # A job event has createdAt in milliseconds, so it is never mistaken for one of the former job.
        later = after(executions, evidence.last_job_deletion(last), lag=evidence.event_lag)
        if events or (later and evidence.shows_birth(last)):
            return Known(value=True)
        if later:
            return Unknowable(reason=Reason.BIRTH_NOT_SHOWN)
        return Unknowable(reason=Reason.REUSE_SECOND)
    deleted_at = max(evidence.job_deletions(last), default=None)
    if deleted_at is None:
        return Unknowable(reason=Reason.DELETION_NOT_SHOWN)
    if any(may_be_after(shown, deleted_at) for job in (*former, last) for shown in evidence.executions_of_job[job]):
        return Unknowable(reason=Reason.REUSE_SECOND)
    return Known(value=False)


def _status(evidence: Evidence, job: TrueJob) -> Knowledge:
    operations = {shown.operation for shown in evidence.of_job[job]}
    if job.status != "IN_PROGRESS":
        if operations & _OPERATIONS[job.status]:
            return Known(value=job.status)
        return Unknowable(reason=Reason.END_NOT_SHOWN)
    for execution in job.executions.values():
        known = LastAttempt(evidence, execution.current).status
        if execution.current.is_pending and known == Known(value=execution.current.status):
            return Known(value=job.status)
    ended_at = max((each.current.ended_at or 0 for each in job.executions.values()), default=0)
    if evidence.shows_job_events(ended_at // 1000):
        return Known(value=job.status, basis=Basis.SILENCE)
    return Unknowable(reason=Reason.COMPLETION_UNSAID)


def _created_at(evidence: Evidence, job: TrueJob) -> Knowledge:
    if evidence.of_job[job]:
        return Known(value=job.created_at)
    queued = [shown.attempt.queued_at for shown in _executions(evidence, job) if shown.shows_queued_at]
    if queued:
        return Known(value=min(queued) // 1000 * 1000 + 999, match=Match.NOT_LATER)
    return Unknowable(reason=Reason.EVENT_NOT_SHOWN)


def _completed_at(evidence: Evidence, job: TrueJob) -> Knowledge:
    if any(shown.operation == "completed" for shown in evidence.of_job[job]):
        return Known(value=job.completed_at)
    if job.completed_at is None:
        status = _status(evidence, job)
        return Known(value=None, basis=status.basis) if isinstance(status, Known) else status
    return _unless_former(evidence, job, job.completed_at, Reason.END_NOT_SHOWN)


def _description(evidence: Evidence, job: TrueJob) -> Knowledge:
    return _by_any_event(evidence, job, job.description)


def _targets(evidence: Evidence, job: TrueJob) -> Knowledge:
    return _by_any_event(evidence, job, [*job.targets])


def _target_selection(evidence: Evidence, job: TrueJob) -> Knowledge:
    return _by_any_event(evidence, job, job.target_selection)


def _comment(evidence: Evidence, job: TrueJob) -> Knowledge:
    return _of_cancellation(evidence, job, job.comment)


def _reason_code(evidence: Evidence, job: TrueJob) -> Knowledge:
    return _of_cancellation(evidence, job, job.reason_code)


def _process_details(evidence: Evidence, job: TrueJob) -> Knowledge:
    shown = [each.process_details for each in evidence.of_job[job] if each.operation == "completed"]
    if not shown:
        return Unknowable(reason=Reason.MEMBER_NOT_SHOWN)
    if shown[0] != job.process_details():
        return Unknowable(reason=Reason.COUNTS_CHANGED)
    return Known(value=shown[0])


def _namespace_id(evidence: Evidence, job: TrueJob) -> Knowledge:
    if any(shown.shows_namespace for shown in _executions(evidence, job)):
        return Known(value=job.namespace_id)
    return Unknowable(reason=Reason.MEMBER_NOT_SHOWN)


def _executions(evidence: Evidence, job: TrueJob) -> list[AttemptShown]:
    return after(evidence.executions_of_job[job], evidence.last_job_deletion(job), lag=evidence.event_lag)


def _of_cancellation(evidence: Evidence, job: TrueJob, value: str | None) -> Knowledge:
    if value is None or any(shown.has_comment for shown in evidence.of_job[job]):
        return Known(value=value)
    return _unless_former(evidence, job, value, Reason.MEMBER_NOT_SHOWN)


def _by_any_event(evidence: Evidence, job: TrueJob, value: object) -> Knowledge:
    if evidence.of_job[job]:
        return Known(value=value)
    return _unless_former(evidence, job, value, Reason.EVENT_NOT_SHOWN)


def _unless_former(evidence: Evidence, job: TrueJob, value: object, reason: Reason) -> Knowledge:
    """Return that a value is unknown, but that the value of a former job with this id would be wrong."""
    former = evidence.fleet.job_lives[job.job_id][:-1]
    if any(evidence.of_job[each] for each in former):
        return Known(value=value, match=Match.NONE_OR_EQUAL)
    return Unknowable(reason=reason)
