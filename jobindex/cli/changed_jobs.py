"""The current state of the jobs that events name."""

from collections.abc import Iterator

from jobindex.cli.client import Json, ServiceClient, quoted
from jobindex.errors import ResourceNotFoundException


class ChangedJobs:
    """Fetches the jobs that events name."""

    def __init__(self, service: ServiceClient, *, job_id: str | None, namespace_id: str | None) -> None:
        self._service = service
        self._job_id = job_id
        self._namespace_id = namespace_id
        self._printed: Json | None = None

    def named_by(self, event: Json) -> Iterator[Json | None]:
        """Yield each changed job, or None if the event does not name the jobs.

        A deleted job has a `jobId` and no `status`. The service filters events, but a matching one may also name other
        jobs.
        """
        names = event["jobs"]
        if self._job_id is not None:
            if names is None or self._job_id in names:
                yield from self._changed(self._job_id, is_named=names is not None)
        elif names is None:
            yield None
        else:
            for name in names:
                yield from self._changed(name, is_named=True)

    def _changed(self, name: str, *, is_named: bool) -> Iterator[Json]:
        job = self._job(name)
        is_news = is_named or job != self._printed
        if self._job_id is not None:
            self._printed = job
        if is_news and self._namespace_id in {None, job.get("namespaceId")}:
            yield job

    def _job(self, name: str) -> Json:
        try:
            return self._service.ask("GET", f"/index/jobs/{quoted(name)}")
        except ResourceNotFoundException:
            former = self._service.ask("GET", f"/index/jobs/{quoted(name)}/changes", {"limit": 2})["changes"]
            namespaces = [change["namespaceId"] for change in former if change.get("namespaceId")]
            return {"jobId": name, **({"namespaceId": namespaces[0]} if namespaces else {})}
