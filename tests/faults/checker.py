"""The verdict: do the merge rules explain the index by some set of messages that it may have received?

The rules are the pure core's (`support/pure_index.py`), applied to all messages of a job at once. `tests.truth` judges
whether they are right; this module finds losses. Messages of different jobs are independent, except for the second of
the first job event. So each job is judged by itself: over all of its few messages, and, if the index differs, over
every subset of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from support.pure_index import PureIndex

from faults.ledger import NOW, Sent
from jobindex.messages.parsing import Parser
from jobindex.model.job import PLACES
from jobindex.model.job_status import JobView
from jobindex.model.reports import UNTIMED, JobDeletion, JobReport, Report, ThingGroupReport

Answer = dict[str, Any]

_ARN_PREFIXES = ("arn:aws:iot:us-east-1:000000000000", "arn:aws:iot:us-east-1:123456789012")
"""The prefixes of an ARN that no message reported: from the settings, or from the things' ARNs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The number of jobs that are right, by reason, and the problems."""

    counts: Counter[str]
    wrong: Sequence[str]


def judge(
    jobs: Mapping[str, Sequence[Sent]],
    answers: Mapping[str, Answer],
    other_answers: Mapping[str, Answer | None],
    must_be_there: Callable[[Sent], bool],
) -> Verdict:
    """Compare an index with the rules.

    `other_answers` are those of a second service, for the jobs of which it received messages: each message that the
    index lacks must be in the second one.
    """
    counts: Counter[str] = Counter()
    wrong = [f"{job_id} is listed, and was never reported" for job_id in answers.keys() - jobs.keys()]
    sent = [one for messages in jobs.values() for one in messages]
    first_events = {first_event(sent), first_event([one for one in sent if must_be_there(one)])}
    for job_id, messages in jobs.items():
        answer = _without_made_up_arn(answers.get(job_id))
        if any(answer == expected(messages, since) for since in first_events):
            counts["as over all messages"] += 1
            continue
        needed = _mask(must_be_there(sent) for sent in messages)
        possible = _possible(messages, answer)
        other_answer = _without_made_up_arn(other_answers.get(job_id))
        if any(mask & needed == needed for mask in possible):
            counts["as over the required messages"] += 1
        elif job_id in other_answers and any(
            (mask | other) & needed == needed for other in _possible(messages, other_answer) for mask in possible
        ):
            counts["shared with the other service"] += 1
        else:
            wrong.append(_describe(job_id, messages, answer, must_be_there))
    return Verdict(counts=counts, wrong=wrong)


def expected(messages: Sequence[Sent], events_since: int | None = None) -> Answer | None:
    """Return ListJobs' answer for a job after these messages, without a made-up `jobArn`. None if it is not listed.

    `events_since` is the second of the earliest job event of any job, if there was one.
    """
    return _expected(map(_reports, messages), events_since)


def _expected(told: Iterable[Sequence[Report]], events_since: int | None) -> Answer | None:
    index = PureIndex(events_since=events_since)
    reports = [report for reports in told for report in reports]
    index.merge(reports)
    jobs, _ = index.view()
    return next((_encode(job_id, view, reports) for job_id, view in jobs.items()), None)


# A service has some of the job events, and its first one decides whether a job's reports count as complete. The only
# outcomes are never and always.
_ANY_FIRST_EVENT = (None, 0)


def _possible(messages: Sequence[Sent], answer: Answer | None) -> list[int]:
    """Return the sets of messages, as bits, that explain this answer."""
    told = [_reports(sent) for sent in messages]
    return [
        mask
        for mask in range(1 << len(told))
        if any(
            answer == _expected((reports for bit, reports in enumerate(told) if mask >> bit & 1), since)
            for since in _ANY_FIRST_EVENT
        )
    ]


def first_event(messages: Iterable[Sent]) -> int | None:
    """Return the second of the earliest job event. None if there is none."""
    published = (
        report.published_at
        for sent in messages
        if sent.topic.startswith("$aws/events/job/")
        for report in _reports(sent)
        if isinstance(report, JobReport | JobDeletion) and report.published_at > UNTIMED
    )
    return min(published, default=None)


def _reports(sent: Sent) -> Sequence[Report]:
    return Parser().parse_message(sent.topic, sent.payload, NOW)


def _mask(flags: Iterable[bool]) -> int:
    return reduce(or_, (1 << bit for bit, flag in enumerate(flags) if flag), 0)


def _without_made_up_arn(answer: Answer | None) -> Answer | None:
    if answer is None or answer.get("jobArn") not in {f"{prefix}:job/{answer['jobId']}" for prefix in _ARN_PREFIXES}:
        return answer
    return {name: value for name, value in answer.items() if name != "jobArn"}


def _encode(job_id: str, view: JobView, reports: Iterable[Report]) -> Answer:
    is_concurrent = view.values[PLACES["is_concurrent"]]
    members = {
        "jobId": job_id,
        "status": view.status.value,
        "isConcurrent": None if is_concurrent is None else bool(is_concurrent),
        "targetSelection": None if view.target_selection is None else view.target_selection.value,
        "thingGroupId": view.values[PLACES["thing_group_id"]] or _tied_id(view, reports),
        "createdAt": view.created_at / 1000,
        "lastUpdatedAt": view.last_updated_at / 1000,
        "completedAt": None if view.completed_at is None else view.completed_at / 1000,
    }
    return {name: value for name, value in members.items() if value is not None}


def _tied_id(view: JobView, reports: Iterable[Report]) -> str | None:
    """Return the id of a job's only group."""
    names = [group.removeprefix("name:") for group in view.groups]
    ids = [
        report.thing_group_id
        for report in reports
        if isinstance(report, ThingGroupReport) and [report.thing_group_name] == names
    ]
    return min((id_ for id_ in ids if id_ is not None), default=None)


def _describe(
    job_id: str, messages: Sequence[Sent], answer: Answer | None, must_be_there: Callable[[Sent], bool]
) -> str:
    lines = [f"{job_id}: the index says {answer}", f"    over all messages: {expected(messages)}"]
    for sent in messages:
        need = "must be there" if must_be_there(sent) else "may be there"
        lines.append(f"    {sent.number}, {need}: {sent.topic} {sent.payload[:200].decode()}")
    return "\n".join(lines)
