"""Parser of AWS IoT Jobs messages: it returns their reports.

The topic wins over the payload, because broker ACLs protect topics: a payload that names another job or thing is
rejected whole. The namespace comes from the topic only. Sources: the developer guide's "Jobs notifications", "Jobs
events" and "Registry events"; samples are in `tests/documents/`.

A message stamped far ahead would freeze a job, a thing or the order of pages, so it is rejected until its times are
near. No other rule reads the clock.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from jobindex.errors import MessageError
from jobindex.messages.drafts import Draft, check_ahead, check_job, check_thing
from jobindex.messages.executions import EXECUTION_STATUSES, add_execution
from jobindex.messages.jobs import JOB_MEMBERS, JOB_STATUSES, add_job, add_job_event
from jobindex.messages.payloads import (
    Members,
    check_same,
    parse_payload,
    read_arn_name,
    read_choice,
    read_list,
    read_object,
    read_text,
    read_time,
)
from jobindex.messages.topics import (
    ExecutionAnswer,
    JobEvent,
    JobExecutionEvent,
    JobNotification,
    NextNotification,
    PendingAnswer,
    PendingNotification,
    ThingGroupEvent,
    Topic,
    parse_topic,
)
from jobindex.model.jobs import THING_GROUP_ID, THING_GROUP_NAME, THING_NAME, JobExecutionStatus
from jobindex.model.reports import (
    NO_NUMBER,
    UNTIMED,
    ExecutionReport,
    ListEntry,
    Parsed,
    PendingListReport,
    RejectedMessage,
    Report,
    ThingGroupReport,
)

# AWS lists at most ten pending executions, fifteen in a maintenance window: a list this long may be cut.
CUT_LIST_ENTRIES = 10

_IN_PROGRESS, _QUEUED = JobExecutionStatus.IN_PROGRESS, JobExecutionStatus.QUEUED
_NO_ENTRIES: frozenset[ListEntry] = frozenset()
_Entry = tuple[str, JobExecutionStatus, dict[str, object]]
"""Its path, its status, its members."""
_EXECUTION_ONLY_MEMBERS: Set[str] = {
    "executionNumber",
    "versionNumber",
    "queuedAt",
    "startedAt",
    "statusDetails",
    "jobDocument",
}
# Next to an execution's members, a bare `status` and `lastUpdatedAt` are the execution's.
_JOB_ONLY_MEMBERS = JOB_MEMBERS - {"status", "lastUpdatedAt"}


def _note_nothing(_member: str) -> None:
    """Ignore that a member was dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """A parser with the service's settings."""

    topic_prefix: str = ""
    """Removed from every topic; a topic without it is ignored."""
    keeps_documents: bool = False
    """Whether job documents are reported whole."""
    note: Callable[[str], None] = _note_nothing
    """Called with `statusDetails` or `targets` for each one that is dropped from a valid message."""

    def parse(self, topic: str, payload: bytes, now: int) -> Parsed:
        """Return the reports of a message that arrives at `now`, in milliseconds, or the rejected message."""
        try:
            return self.parse_message(topic, payload, now)
        except MessageError as error:
            return RejectedMessage(topic, payload, str(error), error.due_at)

    def parse_message(self, topic: str, payload: bytes, now: int) -> tuple[Report, ...]:
        """Return the reports of a message that arrives at `now`, in milliseconds.

        Raises:
            MessageError: the message cannot be understood, or not yet; none of it counts.
        """
        draft = Draft([], self.keeps_documents)
        meaning = parse_topic(topic, self.topic_prefix)
        if meaning is None:
            return ()
        _ADDERS[type(meaning)](draft, meaning, payload)
        check_ahead(draft, now)
        for member in draft.dropped:
            self.note(member)
        return tuple(draft.reports)


def _read_payload(draft: Draft, thing_name: str, job_id: str | None, payload: bytes) -> dict[str, object]:
    members = parse_payload(payload)
    check_thing(members, "", thing_name)
    if job_id is not None:
        check_job(members, "", job_id)
    draft.timestamp = read_time(members, "timestamp")
    draft.thing_arn = read_text(members, "thingArn")
    return members


def _read_event(draft: Draft, payload: bytes) -> dict[str, object]:
    members = parse_payload(payload)
    draft.is_event = True
    draft.timestamp = read_time(members, "timestamp")
    return members


def _add_pending_notification(draft: Draft, topic: PendingNotification, payload: bytes) -> None:
    draft.namespace_id = topic.namespace_id
    jobs = read_object(_read_payload(draft, topic.thing_name, None, payload), "jobs")
    if jobs is not None:
        _add_pending_list(draft, topic.thing_name, _entries(jobs, "IN_PROGRESS", "QUEUED", "jobs."))


def _add_pending_answer(draft: Draft, topic: PendingAnswer, payload: bytes) -> None:
    members = _read_payload(draft, topic.thing_name, None, payload)
    if members.get("inProgressJobs") is not None or members.get("queuedJobs") is not None:
        _add_pending_list(draft, topic.thing_name, _entries(members, "inProgressJobs", "queuedJobs", ""))


def _add_pending_list(draft: Draft, thing_name: str, entries: Sequence[_Entry]) -> None:
    for path, status, entry in entries:
        add_execution(draft, thing_name, None, entry, path=path, status=status)
    if draft.timestamp is None:
        return
    listed = [_list_entry(report) for report in draft.reports if type(report) is ExecutionReport]
    if len(entries) < CUT_LIST_ENTRIES:
        held, last_entry = frozenset(listed), None
    else:
        held, last_entry = _NO_ENTRIES, (entries[-1][1] == _QUEUED, listed[-1].queued_second)
    listed_at = draft.timestamp // 1000
    draft.reports.append(PendingListReport(thing_name, draft.namespace_id, listed_at, held, last_entry))


def _list_entry(report: ExecutionReport) -> ListEntry:
    return ListEntry(
        report.job_id,
        UNTIMED if report.queued_at is None else report.queued_at // 1000,
        NO_NUMBER if report.execution_number is None else report.execution_number,
    )


def _entries(jobs: Members, in_progress: str, queued: str, path: str) -> list[_Entry]:
    entries: list[_Entry] = []
    for name, status in ((in_progress, _IN_PROGRESS), (queued, _QUEUED)):
        for index, entry in enumerate(read_list(jobs, name, path)):
            if not isinstance(entry, dict):
                raise MessageError(f"{path}{name}[{index}]", entry, "an object")
            entries.append((f"{path}{name}[{index}].", status, entry))
    return entries


def _add_next_notification(draft: Draft, topic: NextNotification, payload: bytes) -> None:
    draft.namespace_id = topic.namespace_id
    execution = read_object(_read_payload(draft, topic.thing_name, None, payload), "execution")
    if execution is not None:
        add_execution(draft, topic.thing_name, None, execution, path="execution.")


def _add_execution_answer(draft: Draft, topic: ExecutionAnswer, payload: bytes) -> None:
    draft.namespace_id = topic.namespace_id
    draft.is_rejection = topic.is_rejection
    execution = read_object(_read_payload(draft, topic.thing_name, topic.job_id, payload), topic.member)
    if execution is not None:
        add_execution(draft, topic.thing_name, topic.job_id, execution, path=f"{topic.member}.")


def _add_job_notification(draft: Draft, topic: JobNotification, payload: bytes) -> None:
    draft.namespace_id = topic.namespace_id
    members = _read_payload(draft, topic.thing_name, topic.job_id, payload or b"{}")
    members = {name: value for name, value in members.items() if value is not None}
    is_execution = _holds_execution(members)
    if is_execution and "execution" in members:
        raise MessageError("execution", members["execution"], "the only execution in the payload")
    is_job = not members.keys().isdisjoint(_JOB_ONLY_MEMBERS if is_execution else JOB_MEMBERS)
    if is_job and "job" in members:
        raise MessageError("job", members["job"], "the only job in the payload")

    execution = read_object(members, "execution")
    if is_execution:
        add_execution(draft, topic.thing_name, topic.job_id, members)
    elif execution is not None:
        add_execution(draft, topic.thing_name, topic.job_id, execution, path="execution.")
    jobs = read_object(members, "jobs")
    if jobs is not None:
        for path, status, entry in _entries(jobs, "IN_PROGRESS", "QUEUED", "jobs."):
            add_execution(draft, topic.thing_name, topic.job_id, entry, path=path, status=status)
    job = read_object(members, "job")
    if job is not None:
        check_thing(job, "job.", topic.thing_name)
        check_job(job, "job.", topic.job_id)
        add_job(draft, topic.job_id, job, "job.", read_choice(job, "status", "job.", JOB_STATUSES))
    elif is_job or not draft.reports:
        job_status = None if is_execution else read_choice(members, "status", "", JOB_STATUSES)
        add_job(draft, topic.job_id, members, status=job_status)


def _holds_execution(members: Members) -> bool:
    status = read_text(members, "status")
    is_executions_own = status in EXECUTION_STATUSES and status not in JOB_STATUSES
    return is_executions_own or not members.keys().isdisjoint(_EXECUTION_ONLY_MEMBERS)


def _add_job_event(draft: Draft, topic: JobEvent, payload: bytes) -> None:
    event = _read_event(draft, payload)
    add_job_event(draft, topic.job_id, event, None if topic.operation == "deleted" else topic.operation)


def _add_execution_event(draft: Draft, topic: JobExecutionEvent, payload: bytes) -> None:
    event = _read_event(draft, payload)
    thing_name = read_arn_name(event, "thingArn", "", "thing", THING_NAME)
    if thing_name is None:
        raise MessageError("thingArn", None, "the ARN of a thing")
    add_execution(draft, thing_name, topic.job_id, event, status=topic.operation)


def _add_thing_group_event(draft: Draft, topic: ThingGroupEvent, payload: bytes) -> None:
    event = _read_event(draft, payload)
    check_same(event, "thingGroupName", topic.thing_group_name, "", THING_GROUP_NAME)
    group_id = read_text(event, "thingGroupId", "", THING_GROUP_ID)
    draft.reports.append(ThingGroupReport(topic.thing_group_name, group_id))


_ADDERS: Mapping[type[Topic], Callable[[Draft, Any, bytes], None]] = {
    PendingNotification: _add_pending_notification,
    PendingAnswer: _add_pending_answer,
    NextNotification: _add_next_notification,
    ExecutionAnswer: _add_execution_answer,
    JobNotification: _add_job_notification,
    JobEvent: _add_job_event,
    JobExecutionEvent: _add_execution_event,
    ThingGroupEvent: _add_thing_group_event,
}
