"""Which jobs have changed, as events of the service tell it, and how they read now."""

from collections.abc import Iterator

from jobindex.cli.client import Json, ServiceClient, quoted
from jobindex.errors import ResourceNotFoundException


class ChangedJobs:
    """Asks the service for the jobs that its events name."""

    def __init__(self, service: ServiceClient, *, job_id: str | None, namespace_id: str | None) -> None:
        self._service = service
        self._job_id = job_id
        self._namespace_id = namespace_id
        self._told: Json | None = None

    def told_by(self, event: Json) -> Iterator[Json | None]:
        """Yield what is known now of each job that has changed, and None where many have.

        A job that was deleted has a `jobId` and no `status`. The service leaves out events that do not concern its
        filters; one that does may name other jobs too.
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
        """Yield a job; where the event does not name it, only if it reads otherwise than it did."""
        job = self._job(name)
        is_news = is_named or job != self._told
        if self._job_id is not None:
            self._told = job
        if is_news and self._namespace_id in {None, job.get("namespaceId")}:
            yield job

    def _job(self, name: str) -> Json:
        try:
            return self._service.ask("GET", f"/index/jobs/{quoted(name)}")
        except ResourceNotFoundException:
            former = self._service.ask("GET", f"/index/jobs/{quoted(name)}/changes", {"limit": 2})["changes"]
            namespaces = [change["namespaceId"] for change in former if change.get("namespaceId")]
            return {"jobId": name, **({"namespaceId": namespaces[0]} if namespaces else {})}
