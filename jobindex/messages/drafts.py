"""The reports of a message while it is parsed, with the facts that all of them share."""

from dataclasses import dataclass

from jobindex.errors import MessageError
from jobindex.messages.payloads import Members, check_same, read_resource
from jobindex.model.jobs import JOB_ID, THING_NAME
from jobindex.model.reports import UNTIMED, Report


@dataclass(slots=True)
class Draft:
    """The reports of a message so far."""

    reports: list[Report]
    keeps_documents: bool = False
    is_event: bool = False
    """Whether an event reports the job or the execution."""
    is_rejection: bool = False
    """Whether the state was reached at some time before the `timestamp`."""
    namespace_id: str | None = None
    timestamp: int | None = None
    thing_arn: str | None = None
    """The thing's ARN as the payload reports it at its top level."""
    latest_at: int = UNTIMED
    """The greatest time of the jobs and executions so far, in milliseconds."""
    dropped: tuple[str, ...] = ()
    """The members that were dropped, by their names."""

    def stamp(self, times: dict[str, int]) -> tuple[int, int, int]:
        """Return the time of a stamp, and the least and the greatest of it and `times`, which are in their order."""
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


def check_job(members: Members, path: str, job_id: str) -> None:
    """Check that an object is of the job that the topic names."""
    if "jobId" in members:
        check_same(members, "jobId", job_id, path, JOB_ID)
    if "jobArn" in members and read_resource(members, "jobArn", path) not in {None, ("job", job_id)}:
        raise MessageError(f"{path}jobArn", members["jobArn"], f"the ARN of job {job_id!r}, as the topic says")


def check_thing(members: Members, path: str, thing_name: str) -> None:
    """Check that an object is of the thing that the topic names."""
    if "thingName" in members:
        check_same(members, "thingName", thing_name, path, THING_NAME)
    if "thingArn" in members and read_resource(members, "thingArn", path) not in {None, ("thing", thing_name)}:
        raise MessageError(
            f"{path}thingArn", members["thingArn"], f"the ARN of thing {thing_name!r}, as the topic says"
        )
