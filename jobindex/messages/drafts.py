"""The reports of a message during parsing, with the facts that they share."""

from dataclasses import dataclass

from jobindex.errors import MessageError
from jobindex.messages.payloads import Members, check_same, read_resource
from jobindex.model.jobs import JOB_ID, THING_NAME, from_milliseconds
from jobindex.model.reports import UNTIMED, Report

AHEAD_MILLISECONDS = 24 * 60 * 60 * 1000


@dataclass(slots=True)
class Draft:
    """The reports of a message so far."""

    reports: list[Report]
    keeps_documents: bool = False
    is_event: bool = False
    """Whether an event reports the job or the execution."""
    is_rejection: bool = False
    """Whether the state was reached at an unknown time before the `timestamp`."""
    namespace_id: str | None = None
    timestamp: int | None = None
    thing_arn: str | None = None
    """At the top level of the payload."""
    latest_at: int = UNTIMED
    """The greatest time of the jobs and executions so far, in milliseconds."""
    dropped: tuple[str, ...] = ()
    """The names of dropped members."""

    def stamp(self, times: dict[str, int]) -> tuple[int, int, int]:
        """Return the time of a stamp, and the least and the greatest of it and `times`, in the order of TIMES."""
        time = self.timestamp
        if times and (time is None or "lastUpdatedAt" in times):
            time = next(iter(times.values()))
        if time is None:
            return UNTIMED, UNTIMED, UNTIMED
        earliest_at = latest_at = time
        for other in times.values():
            if other < earliest_at:
                earliest_at = other
            elif other > latest_at:
                latest_at = other
        self.latest_at = max(self.latest_at, latest_at)
        return time, earliest_at, latest_at


def check_ahead(draft: Draft, now: int) -> None:
    """Check that no time is more than 24 hours ahead of `now`, in milliseconds."""
    latest_at = draft.latest_at if draft.timestamp is None else max(draft.latest_at, draft.timestamp)
    if latest_at - now > AHEAD_MILLISECONDS:
        time = from_milliseconds(latest_at).isoformat(timespec="milliseconds")
        expected = "at most 24 hours ahead: it is in the future"
        raise MessageError("the greatest time", time, expected, due_at=latest_at - AHEAD_MILLISECONDS)


def check_job(members: Members, path: str, job_id: str) -> None:
    """Check that an object is about the job in the topic."""
    if "jobId" in members:
        check_same(members, "jobId", job_id, path, JOB_ID)
    if "jobArn" in members and read_resource(members, "jobArn", path) not in {None, ("job", job_id)}:
        raise MessageError(f"{path}jobArn", members["jobArn"], f"the ARN of job {job_id!r} as in the topic")


def check_thing(members: Members, path: str, thing_name: str) -> None:
    """Check that an object is about the thing in the topic."""
    if "thingName" in members:
        check_same(members, "thingName", thing_name, path, THING_NAME)
    if "thingArn" in members and read_resource(members, "thingArn", path) not in {None, ("thing", thing_name)}:
        raise MessageError(f"{path}thingArn", members["thingArn"], f"the ARN of thing {thing_name!r} as in the topic")
