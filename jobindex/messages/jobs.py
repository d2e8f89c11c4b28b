"""Jobs in messages, with their targets and counts."""

from collections.abc import Callable, Mapping, Sequence, Set
from functools import lru_cache, partial

import orjson

from jobindex.errors import MessageError
from jobindex.messages.drafts import Draft, check_job
from jobindex.messages.payloads import (
    MAX_NUMBER,
    Members,
    read_arns,
    read_bounded_text,
    read_choice,
    read_flag,
    read_object,
    read_text,
    read_times,
)
from jobindex.model.jobs import THING_GROUP_ID, THING_GROUP_NAME, JobStatus, TargetSelection
from jobindex.model.reports import UNTIMED, JobDeletion, JobReport, MemberValue, ThingGroupReport

JOB_MEMBERS: Set[str] = {
    "status",
    "targetSelection",
    "thingGroupId",
    "thingGroupName",
    "isConcurrent",
    "createdAt",
    "lastUpdatedAt",
    "completedAt",
    "jobArn",
    "targets",
    "description",
    "comment",
    "reasonCode",
    "jobProcessDetails",
}
# CANCELLATION_IN_PROGRESS and DELETED are reported by messages, but are not statuses of ListJobs.
JOB_STATUSES: dict[str, JobStatus] = {**JobStatus.__members__, "CANCELLATION_IN_PROGRESS": JobStatus.CANCELED}

_EVENT_STATUSES = dict.fromkeys([*JOB_STATUSES, "DELETED"])
_TARGET_SELECTIONS = dict(TargetSelection.__members__)
_MAX_TARGETS = 100  # of more, none is stored
# AWS's limits.
_DESCRIPTION_CHARACTERS = 2028
_COMMENT_CHARACTERS = 2028
_REASON_CODE_CHARACTERS = 128
# Sorted.
_PROCESS_DETAILS = tuple(
    f"numberOf{outcome}Things"
    for outcome in ("Canceled", "Failed", "InProgress", "Queued", "Rejected", "Removed", "Succeeded", "TimedOut")
)


def add_job(draft: Draft, job_id: str, job: Members, path: str = "", status: JobStatus | None = None) -> None:
    """Add the reports of a job, and of the thing groups that it names.

    The caller gives its `status`: at the top level of a payload it may be an execution's.
    """
    times = read_times(job, path)
    members, groups = _read_members(draft, job, path)
    if draft.namespace_id is not None:
        members["namespace_id"] = draft.namespace_id
    if status is not None:
        members["status"] = status.value
    if "createdAt" in times:
        members["created_at"] = times["createdAt"]
    if "completedAt" in times:
        members["completed_at"] = times["completedAt"]
    time, earliest_at, latest_at = draft.stamp(times)
    published_at = draft.timestamp // 1000 if draft.is_event and draft.timestamp is not None else UNTIMED
    draft.reports.append(JobReport(job_id, time, members, earliest_at, latest_at, published_at))
    draft.reports += groups


def add_job_event(draft: Draft, job_id: str, event: Members, status: JobStatus | None) -> None:
    """Add the reports of a job event; for a deletion, `status` is None."""
    check_job(event, "", job_id)
    read_choice(event, "status", "", _EVENT_STATUSES)  # checked, but the operation wins
    if status is None:
        _add_deletion(draft, job_id, event)
    else:
        add_job(draft, job_id, event, status=status)


def _add_deletion(draft: Draft, job_id: str, event: Members) -> None:
    times = read_times(event, "")
    _, groups = _read_members(draft, event, "")
    timestamp = UNTIMED if draft.timestamp is None else draft.timestamp
    inside = [times[name] for name in ("createdAt", "completedAt", "lastUpdatedAt") if name in times]
    draft.stamp(times)
    draft.reports += groups
    draft.reports.append(JobDeletion(job_id, max(inside, default=timestamp), max(*inside, timestamp, UNTIMED) // 1000))


def _read_members(draft: Draft, job: Members, path: str) -> tuple[dict[str, MemberValue], Sequence[ThingGroupReport]]:
    members: dict[str, MemberValue] = {}
    for name in job:
        if name in _READERS:
            register, read = _READERS[name]
            value = read(job, name, path)
            if value is not None:
                members[register] = value
    groups: Set[str] = frozenset()
    if "targets" in job:
        targets, groups = _read_targets(draft, job, path)
        if targets is not None:
            members["targets"] = targets
    return members, _group_reports(members.get("thing_group_name"), members.get("thing_group_id"), groups)


def _read_selection(job: Members, name: str, path: str) -> str | None:
    selection = read_choice(job, name, path, _TARGET_SELECTIONS)
    return None if selection is None else selection.value


def _read_flag(job: Members, name: str, path: str) -> int | None:
    flag = read_flag(job, name, path)
    return None if flag is None else int(flag)


def _read_targets(draft: Draft, job: Members, path: str) -> tuple[str | None, Set[str]]:
    arns = read_arns(job, "targets", path)
    if arns is None:
        return None, frozenset()
    groups = frozenset(name for resource_type, name in arns.values() if resource_type == "thinggroup")
    for name in groups:
        if THING_GROUP_NAME.fullmatch(name) is None:
            raise MessageError(f"{path}targets", name, f"a match of {THING_GROUP_NAME.pattern}")
    if len(arns) > _MAX_TARGETS:
        draft.dropped += ("targets",)
        return None, frozenset()
    return orjson.dumps(sorted(arns)).decode(), groups


@lru_cache(maxsize=1024)  # the jobs of a deployment, and of a fleet, have few groups
def _group_reports(name: str | None, id_: str | None, target_groups: Set[str]) -> Sequence[ThingGroupReport]:
    """Return a report of each group; the id is tied to `thingGroupName`, otherwise to the only target."""
    names = target_groups if name is None else {*target_groups, name}
    tied_name = next(iter(names)) if len(names) == 1 else name
    tied = [] if tied_name is None and id_ is None else [ThingGroupReport(tied_name, id_)]
    return tied + [ThingGroupReport(other) for other in sorted(names) if other != tied_name]


def _read_process_details(job: Members, name: str, path: str) -> str | None:
    details = read_object(job, name, path)
    if details is None:
        return None
    counts = {key: details[key] for key in _PROCESS_DETAILS if _is_count(details.get(key))}
    return orjson.dumps(counts).decode() if counts else None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_NUMBER


_READERS: Mapping[str, tuple[str, Callable[[Members, str, str], MemberValue | None]]] = {
    "targetSelection": ("target_selection", _read_selection),
    "isConcurrent": ("is_concurrent", _read_flag),
    "thingGroupName": ("thing_group_name", partial(read_text, pattern=THING_GROUP_NAME)),
    "thingGroupId": ("thing_group_id", partial(read_text, pattern=THING_GROUP_ID)),
    "jobArn": ("job_arn", read_text),
    "description": ("description", partial(read_bounded_text, maximum=_DESCRIPTION_CHARACTERS)),
    "comment": ("comment", partial(read_bounded_text, maximum=_COMMENT_CHARACTERS)),
    "reasonCode": ("reason_code", partial(read_bounded_text, maximum=_REASON_CODE_CHARACTERS)),
    "jobProcessDetails": ("process_details", _read_process_details),
}
"""By member: its register and reader. `targets` are read separately, because they name thing groups."""
