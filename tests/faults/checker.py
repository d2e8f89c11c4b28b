"""The verdict: is there a set of messages that the index may have had, and of which the oracle says what it says.

Messages of different jobs have nothing to do with one another, so each job is judged by itself: over all sets of its
few messages, where the answer over all of them is not the index's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

from support import oracle

from faults.ledger import Sent
from jobindex.messages.parsing import parse_message
from jobindex.model.jobs import Report
from jobindex.model.listing import Filters

Answer = dict[str, Any]

_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_ARN_PREFIX = "arn:aws:iot:us-east-1:000000000000:job/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many jobs are right and in which way, and what is wrong."""

    counts: Counter[str]
    wrong: Sequence[str]


def judge(
    jobs: Mapping[str, Sequence[Sent]],
    answers: Mapping[str, Answer],
    other_answers: Mapping[str, Answer | None],
    must_be_there: Callable[[Sent], bool],
) -> Verdict:
    """Compare an index with the oracle.

    `other_answers` are those of another service, for the jobs of which it took messages: what the one lacks of them
    the other must have.
    """
    counts: Counter[str] = Counter()
    wrong = [f"{job_id} is listed, and was never told of" for job_id in answers.keys() - jobs.keys()]
    for job_id, messages in jobs.items():
        answer = answers.get(job_id)
        if answer == expected(messages):
            counts["as over all messages"] += 1
            continue
        needed = _mask(must_be_there(sent) for sent in messages)
        possible = _possible(messages, answer)
        if any(mask & needed == needed for mask in possible):
            counts["as over what had to be there"] += 1
        elif job_id in other_answers and any(
            (mask | other) & needed == needed
            for other in _possible(messages, other_answers[job_id])
            for mask in possible
        ):
            counts["shared with the other service"] += 1
        else:
            wrong.append(_describe(job_id, messages, answer, must_be_there))
    return Verdict(counts=counts, wrong=wrong)


def expected(messages: Sequence[Sent]) -> Answer | None:
    """Return what ListJobs must say of a job after these messages, None where it is not to be listed."""
    return _expected([parse_message(sent.topic, sent.payload) for sent in messages])


def _expected(told: Iterable[Sequence[Report]]) -> Answer | None:
    summaries = oracle.list_jobs([report for reports in told for report in reports], Filters(), now=_NOW)
    return _encode(summaries[0]) if summaries else None


def _possible(messages: Sequence[Sent], answer: Answer | None) -> list[int]:
    """Return the sets of messages, as bits, after which the answer would be this one."""
    told = [parse_message(sent.topic, sent.payload) for sent in messages]
    return [
        mask
        for mask in range(1 << len(told))
        if answer == _expected(reports for bit, reports in enumerate(told) if mask >> bit & 1)
    ]


def _mask(flags: Iterable[bool]) -> int:
    return reduce(or_, (1 << bit for bit, flag in enumerate(flags) if flag), 0)


def _encode(job: oracle.JobSummary) -> Answer:
    members = {
        "jobArn": job.job_arn or _ARN_PREFIX + job.job_id,
        "jobId": job.job_id,
        "status": str(job.status),
        "isConcurrent": job.is_concurrent,
        "targetSelection": None if job.target_selection is None else str(job.target_selection),
        "thingGroupId": job.thing_group_id,
        "createdAt": job.created_at.timestamp(),
        "lastUpdatedAt": job.last_updated_at.timestamp(),
        "completedAt": None if job.completed_at is None else job.completed_at.timestamp(),
    }
    return {name: value for name, value in members.items() if value is not None}


def _describe(
    job_id: str, messages: Sequence[Sent], answer: Answer | None, must_be_there: Callable[[Sent], bool]
) -> str:
    lines = [f"{job_id}: the index says {answer}", f"    over all messages: {expected(messages)}"]
    for sent in messages:
        need = "must be there" if must_be_there(sent) else "may be there"
        lines.append(f"    {sent.number}, {need}: {sent.topic} {sent.payload[:200].decode()}")
    return "\n".join(lines)
