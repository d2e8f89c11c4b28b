"""What the index says of a job's status, and why, in whole sentences."""

from collections.abc import Mapping
from enum import StrEnum

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.views import PENDING, ExecutionState, Job

_EXPLAINED = {ExecutionState.ENDED: "Ended, outcome unknown", ExecutionState.TIMED_OUT: "Timed out"}


def label(status: StrEnum) -> str:
    """Return a status of AWS's as a reader's word: `In progress` for IN_PROGRESS."""
    return status.capitalize().replace("_", " ")


def explained(state: ExecutionState) -> str:
    """Return a state of an execution with what it means where its name does not say it."""
    return _EXPLAINED.get(state, label(state))


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `2,000 jobs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def counted(executions: Mapping[ExecutionState, int]) -> str:
    """Return how many executions are in each state, in a line for who cannot see the picture."""
    return ", ".join(f"{number:,} {label(state).lower()}" for state, number in executions.items()) or "none known"


def status_reason(job: Job) -> str:
    """Return in words how the index came by a job's status."""
    if job.is_status_reported:
        return "A message told this status."
    known = sum(job.executions.values())
    pending = sum(number for state, number in job.executions.items() if state in PENDING)
    inferred = "Inferred: no message told a status"
    if not known:
        return f"{inferred}, and none told of an execution."
    if pending:
        verb = "has" if pending == 1 else "have"
        return f"{inferred}, and {pending:,} of {count(known, 'known execution')} {verb} not ended."
    ended = "the only known execution has ended" if known == 1 else f"all {known:,} known executions have ended"
    if job.status is JobStatus.COMPLETED:
        why = (
            "the job is SNAPSHOT: it goes on to no further thing"
            if job.target_selection is TargetSelection.SNAPSHOT
            else "neither its target selection nor a thing group is known"
        )
        return f"{inferred}; {ended}, and {why}."
    why = (
        "the job is CONTINUOUS: it goes on to things that join its targets later"
        if job.target_selection is TargetSelection.CONTINUOUS
        else "the job has a thing group, whose rollout may go on"
    )
    return f"{inferred}; {ended}, but {why}."


def created_reason(job: Job) -> str:
    """Return in words where a job's createdAt comes from."""
    return "told" if job.is_created_at_reported else "not told: the earliest time of any message of the job"
