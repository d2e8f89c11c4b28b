"""Messages for tests, and a store that applies them in either order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jobindex.messages.parsing import Parser
from jobindex.model.jobs import JobStatus, to_milliseconds
from jobindex.model.listing import Filters, ListJobsQuery
from jobindex.model.reports import Report
from jobindex.model.store import Store
from support.job_pages import JobSummary, summaries

NOW = datetime(2030, 1, 1, tzinfo=UTC)

ALL = Filters()

Message = tuple[str, dict[str, object]]


def at(seconds: int) -> datetime:
    """Return a time that messages give in seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def arn(resource: str, region: str = "us-east-1") -> str:
    """Return an ARN of AWS IoT."""
    return f"arn:aws:iot:{region}:123456789012:{resource}"


def job(job_id: str = "j1", namespace: str = "n1", **members: Any) -> Message:
    """Make a message about a job in a namespace."""
    return f"$aws/things/t1/jobs/{job_id}/notify-namespace-{namespace}", {"job": members}


def execution(status: str, job_id: str = "j1", thing: str = "t1", **members: Any) -> Message:
    """Make a message about an execution, without a namespace."""
    return f"$aws/things/{thing}/jobs/{job_id}/get/accepted", {"execution": {"status": status, **members}}


def pending(
    timestamp: int | None, *entries: dict[str, object], thing: str = "t1", namespace: str | None = "n1"
) -> Message:
    """Make the list of a thing's pending executions, with or without a namespace."""
    suffix = "" if namespace is None else f"-namespace-{namespace}"
    return f"$aws/things/{thing}/jobs/notify{suffix}", {"timestamp": timestamp, "jobs": {"QUEUED": entries}}


def entry(job_id: str = "j1", **members: Any) -> dict[str, object]:
    """Make an entry of such a list."""
    return {"jobId": job_id, **members}


def event(operation: str, job_id: str = "j1", **members: Any) -> Message:
    """Make a job event, which has no namespace."""
    return f"$aws/events/job/{job_id}/{operation}", members


def execution_event(operation: str, job_id: str = "j1", thing: str = "t1", **members: Any) -> Message:
    """Make a job execution event."""
    return f"$aws/events/jobExecution/{job_id}/{operation}", {"thingArn": arn(f"thing/{thing}"), **members}


def group(name: str, id_: str | None = None) -> Message:
    """Make a message that names a thing group, with or without its id."""
    return f"$aws/events/thingGroup/{name}/created", {"thingGroupId": id_}


def summary(created: int, updated: int | None = None, **known: Any) -> JobSummary:
    """Return the summary of job j1, with times in seconds; all other members are unknown."""
    unknown = JobSummary(
        job_arn=None,
        job_id="j1",
        status=JobStatus.IN_PROGRESS,
        is_concurrent=None,
        target_selection=None,
        thing_group_id=None,
        created_at=at(created),
        last_updated_at=at(created if updated is None else updated),
        completed_at=None,
    )
    return replace(unknown, **known)


def parsed(*messages: tuple[str, Mapping[str, object]], now: datetime = NOW) -> list[Report]:
    """Return the reports of messages that arrive at `now`.

    Raises:
        MessageError: a message is malformed.
    """
    return [
        report
        for topic, payload in messages
        for report in Parser().parse_message(topic, json.dumps(payload).encode(), to_milliseconds(now))
    ]


LEARNT_ARN = arn("job/j1")
"""The ARN of job j1 if it is derived from another ARN of the same region and account."""


class Index:
    """A store that applies messages, in order or in reverse."""

    def __init__(self, store: Store, *, reverse: bool) -> None:
        self._store = store
        self._reverse = reverse

    async def tell(self, *messages: Message, now: datetime = NOW) -> None:
        """Apply each message in a batch of its own."""
        for topic, payload in reversed(messages) if self._reverse else messages:
            await self._store.apply(parsed((topic, payload)), (), now=now)

    async def jobs(self, filters: Filters = ALL) -> Sequence[JobSummary]:
        """Return all jobs that match the filters."""
        page = await self._store.list_jobs(ListJobsQuery(filters=filters))
        assert page.next_position is None
        return summaries(page)

    async def job_ids(self, filters: Filters = ALL) -> set[str]:
        """Return the ids of all jobs that match the filters."""
        return {job.job_id for job in await self.jobs(filters)}

    async def job(self) -> JobSummary:
        """Return the only job."""
        (job,) = await self.jobs()
        return job
