"""Which jobs have changed, as far as events of the service let it be told.

An event names the jobs that messages told of. A list of a thing's pending executions tells of any job of that thing,
also of those that it leaves out; then the event names the thing alone, and the thing's latest executions are looked
through for jobs that read otherwise than before.
"""

from collections.abc import Iterator, Sequence

from jobindex.cli.client import Json, ServiceClient, quoted
from jobindex.errors import ResourceNotFoundException

_THINGS_MAXIMUM = 20
_EXECUTIONS = 25
"""The latest of a thing that are looked at."""
_REMEMBERED = 20_000
"""Jobs of which it is remembered how they read."""


class ChangedJobs:
    """Finds the jobs that events of the service are about."""

    def __init__(self, service: ServiceClient, *, job_id: str | None, namespace_id: str | None) -> None:
        self._service = service
        self._job_id = job_id
        self._namespace_id = namespace_id
        self._since: float | None = None
        self._read: dict[str, object] = {}

    def told_by(self, event: Json) -> Iterator[Json | None]:
        """Yield what is known now of each job that has changed, and None where more have than can be found.

        A job that was deleted has a `jobId` and no `status`. The service leaves out events that do not concern its
        filters; one that does may name other jobs too.
        """
        if self._since is None:
            self._since = event["at"]
        names, are_named = event["jobs"], event["jobs"] is not None
        if self._job_id is not None:
            names = [self._job_id] if names is None or self._job_id in names else []
        elif names is None:
            names = self._jobs_of(event["things"])
        if names is None:
            yield None
            return
        for name in names:
            job = self._job(name)
            if self._is_news(job, is_named=are_named) and self._namespace_id in {None, job.get("namespaceId")}:
                yield job

    def _jobs_of(self, things: Sequence[str] | None) -> Sequence[str] | None:
        if things is None or len(things) > _THINGS_MAXIMUM:
            return None
        found: dict[str, None] = {}
        for thing in things:
            try:
                page = self._service.ask("GET", f"/things/{quoted(thing)}/jobs", {"maxResults": _EXECUTIONS})
            except ResourceNotFoundException:
                continue
            found |= dict.fromkeys(execution["jobId"] for execution in page["executionSummaries"])
        return list(found)

    def _job(self, name: str) -> Json:
        try:
            return self._service.ask("GET", f"/index/jobs/{quoted(name)}")
        except ResourceNotFoundException:
            (*_, change) = ({}, *self._changes(name))
            return {"jobId": name, **{key: value for key, value in change.items() if key == "namespaceId"}}

    def _is_news(self, job: Json, *, is_named: bool) -> bool:
        """Tell whether a job reads otherwise than before; of one never looked at, its last change tells."""
        name, reads = job["jobId"], (job.get("status"), job.get("lastUpdatedAt"), job.get("executions"))
        former = self._read.pop(name, None)
        self._read[name] = reads
        if len(self._read) > _REMEMBERED:
            del self._read[next(iter(self._read))]
        if former is not None:
            return former != reads
        return is_named or any(change["changedAt"] >= (self._since or 0) for change in self._changes(name))

    def _changes(self, name: str) -> Sequence[Json]:
        try:
            page = self._service.ask("GET", f"/index/jobs/{quoted(name)}/changes", {"limit": 1})
        except ResourceNotFoundException:
            return ()
        return list(page["changes"])
