"""What the index says of a job's status, and why, in whole sentences."""

import re
from collections.abc import Mapping
from enum import StrEnum

from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.views import PENDING, ExecutionState, JobDescription

_EXPLAINED = {ExecutionState.ENDED: "Ended, outcome unknown", ExecutionState.TIMED_OUT: "Timed out"}

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


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


def outcome(status: JobStatus, failures: int) -> str:
    """Return a job's status, and how many of its executions failed if it is complete."""
    if status is JobStatus.COMPLETED and failures:
        return f"{label(status)} with {count(failures, 'failure')}"
    return label(status)


def status_reason(job: JobDescription) -> str:
    """Return in words how the index came by a job's status."""
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
            "the job is SNAPSHOT: it goes on to no further thing"
            if job.target_selection is TargetSelection.SNAPSHOT
            else "neither its target selection nor a thing group is known"
        )
        return f"{inferred}; {ended}, and {why}."
    if job.target_selection is TargetSelection.CONTINUOUS:
        why = "the job is CONTINUOUS: it goes on to things that join its targets later"
    elif job.target_selection is None and (job.thing_group_names or job.thing_group_ids):
        why = "the job has a thing group, whose rollout may go on"
    else:
        why = "job events have been received since then, and none reports its completion"
    return f"{inferred}; {ended}, but {why}."


def created_reason(job: JobDescription) -> str:
    """Return in words where a job's createdAt comes from."""
    return "reported" if job.is_created_at_reported else "not reported: the earliest time of any message of the job"


def reported_counts(job: JobDescription) -> str | None:
    """Return the counts that AWS reported of a job, in words; None if it reported none."""
    if job.reported_process_details is None:
        return None
    named = (
        (name.removeprefix("numberOf").removesuffix("Things"), n) for name, n in job.reported_process_details.items()
    )
    words = (f"{number:,} {_WORDS.sub(' ', name).lower()}" for name, number in named if number)
    return ", ".join(words) or "none"
