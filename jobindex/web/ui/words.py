"""The texts of statuses, and the reason for a job's status in a sentence."""

import re
from collections.abc import Mapping

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.sync import DifferenceKind, SyncKind
from jobindex.model.views import PENDING, ExecutionState, JobDescription

_EXPLAINED = {ExecutionState.ENDED: "Ended, outcome unknown", ExecutionState.TIMED_OUT: "Timed out"}

_RUNS = {
    SyncKind.JOB: "One job",
    SyncKind.PENDING: "Check of the active jobs and their pending executions",
    SyncKind.FILL: "Fill",
    SyncKind.ACTIVE: "Check of the active jobs",
    SyncKind.ALL: "Check of all jobs",
    SyncKind.DETAILS: "Details of all jobs",
}
_DIFFERENCES = {
    DifferenceKind.JOB_MISSING: "Job missing",
    DifferenceKind.JOB_STATUS: "Status of the job",
    DifferenceKind.JOB_DETAILS: "Details of the job",
    DifferenceKind.JOB_DELETED: "Job deleted",
    DifferenceKind.EXECUTION_MISSING: "Execution missing",
    DifferenceKind.EXECUTION_STATUS: "State of the execution",
    DifferenceKind.EXECUTION_DELETED: "Execution deleted",
}

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def label(status: str) -> str:
    """Return the text of a status: `In progress` for IN_PROGRESS."""
    return status.capitalize().replace("_", " ")


def explained(state: ExecutionState) -> str:
    """Return the text of an execution's state, explained if the name is not clear."""
    return _EXPLAINED.get(state, label(state))


def run_name(kind: str) -> str:
    """Return the text of a run's kind."""
    return _RUNS[SyncKind(kind)]


def difference_name(kind: DifferenceKind) -> str:
    """Return the text of a difference's kind."""
    return _DIFFERENCES[kind]


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `2,000 jobs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def counted(executions: Mapping[ExecutionState, int]) -> str:
    """Return the executions in each state, as the text alternative of a chart."""
    return ", ".join(f"{number:,} {label(state).lower()}" for state, number in executions.items()) or "none known"


def outcome(status: JobStatus, failures: int) -> str:
    """Return the text of a job's status, with the number of failures if it completed."""
    if status is JobStatus.COMPLETED and failures:
        return f"{label(status)} with {count(failures, 'failure')}"
    return label(status)


def status_reason(job: JobDescription) -> str:
    """Return the origin of a job's status in a sentence."""
    if job.is_status_reported:
        return "A message reported this status."
    known = sum(job.executions.values())
    pending = sum(number for state, number in job.executions.items() if state in PENDING)
    inferred = "Inferred: no message reported a status"
    if not known:
        return f"{inferred}, and none reported an execution."
    if pending:
        verb = "has" if pending == 1 else "have"
        return f"{inferred}, and {pending:,} of {count(known, 'known execution')} {verb} not ended."
    ended = "the only known execution has ended" if known == 1 else f"all {known:,} known executions have ended"
    if job.status is JobStatus.COMPLETED:
        why = (
            "a SNAPSHOT job is not sent to other things"
            if job.target_selection is TargetSelection.SNAPSHOT
            else "neither its target selection nor a thing group is known"
        )
        return f"{inferred}; {ended}, and {why}."
    if job.target_selection is TargetSelection.CONTINUOUS:
        why = "a CONTINUOUS job is also sent to things that join its targets later"
    elif job.target_selection is None and (job.thing_group_names or job.thing_group_ids):
        why = "the job has a thing group, whose rollout may continue"
    else:
        why = "job events were already enabled then, and none reports the job's completion"
    return f"{inferred}; {ended}, but {why}."


def created_reason(job: JobDescription) -> str:
    """Return the origin of a job's createdAt."""
    return "reported" if job.is_created_at_reported else "not reported: the earliest time in the job's messages"


def reported_counts(job: JobDescription) -> str | None:
    """Return the counts that AWS reported for a job, as text; None if there are none."""
    if job.reported_process_details is None:
        return None
    named = (
        (name.removeprefix("numberOf").removesuffix("Things"), n) for name, n in job.reported_process_details.items()
    )
    words = (f"{number:,} {_WORDS.sub(' ', name).lower()}" for name, number in named if number)
    return ", ".join(words) or "none"
