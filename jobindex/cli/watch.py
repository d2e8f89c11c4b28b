"""`jobindex watch`: each job that changes, as it changes.

The service tells which jobs have changed, by server-sent events, and not how; each is asked for when it is told. So
a job that changes twice in a moment makes one line, with its status now.
"""

import time as clock
from collections.abc import Iterator
from contextlib import closing
from typing import Annotated

import orjson
import typer

from jobindex.backoff import Backoff
from jobindex.cli.changed_jobs import ChangedJobs
from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.direct import BROKEN
from jobindex.cli.options import AsJson, Endpoint, NamespaceId, connect, warn
from jobindex.cli.output import counts, encode, note, printable, say, styled, time
from jobindex.errors import InvalidRequestException, ResourceNotFoundException, ServiceError

EXAMPLE = "Example: jobindex watch --namespace-id acme"

_SILENCE_SECONDS = 60
"""The service says something, if only that it is there, several times in it."""


def watch(
    *,
    namespace_id: NamespaceId = None,
    job_id: Annotated[str | None, typer.Option("--job", metavar="JOB", help="Only this job.")] = None,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Print a line for each job that changes, with its reported status and its executions now, until Ctrl-C.

    When the service goes away, or refuses for a while, it is waited for; what changed meanwhile is not told. Exits
    with 0 on Ctrl-C, and at the beginning with 3 when no service answers, and as other commands when it refuses.
    """
    service = connect(endpoint)
    parameters = {"namespaceId": namespace_id, "jobId": job_id}
    changed = ChangedJobs(service, job_id=job_id, namespace_id=namespace_id)
    backoff = Backoff(first=0.5, greatest=5)
    has_watched = False
    told = ""
    try:
        while True:
            try:
                for event in _events(service, parameters):
                    if event is None:
                        note(f"Watching {service.url}{', changes meanwhile are not told' if has_watched else ''}")
                        warn(service)
                        has_watched = True
                        told = ""
                        backoff.reset()
                    else:
                        for job in changed.told_by(event):
                            say(encode(_encoded(event, job)) if json else _line(event, job))
                reason = f"{service.url}: the service ended the line"
            except (ServiceError, ResourceNotFoundException, InvalidRequestException) as error:
                # Once it has answered, so does a proxy before it in its place, or it has too much to do.
                if not has_watched:
                    raise
                reason = str(error)
            if reason != told:
                note(f"{reason}; trying again")
                told = reason
            clock.sleep(backoff.next_seconds())
    except KeyboardInterrupt:
        return


def _events(service: ServiceClient, parameters: Json) -> Iterator[Json | None]:
    """Yield None once connected, then what each change event holds, until the service ends them."""
    with closing(service.open("GET", "/index/events", parameters, seconds=_SILENCE_SECONDS)) as answer:
        yield None
        name, data = "", b""
        try:
            for line in answer:
                field, _, value = line.rstrip(b"\r\n").partition(b":")
                if field == b"event":
                    name = value.strip().decode()
                elif field == b"data":
                    data += value.strip()
                elif not field and not value:
                    if name == "end":
                        return
                    if name == "change" and data:
                        yield dict(orjson.loads(data))
                    name, data = "", b""
        except BROKEN as error:
            raise service.unreachable(error) from error
        except ValueError as error:
            raise ServiceError(f"{service.url}: this is no answer of jobindex: {error}") from error


def _encoded(event: Json, job: Json | None) -> Json:
    """Return a line for programs: a job that was deleted has no status, `jobId` is null where none is named."""
    told = {"jobId": None, "namespaces": event["namespaces"]} if job is None else job
    return {"at": event["at"], **told}


def _line(event: Json, job: Json | None) -> str:
    at = event["at"]
    if job is None:
        where = f" of {printable(', '.join(event['namespaces']))}" if event["namespaces"] else ""
        return f"{time(at)}  jobs{where} changed, which ones is not told"
    parts = [time(at), printable(job["jobId"]), styled(printable(_status(job)))]
    if job.get("namespaceId"):
        parts.append(printable(job["namespaceId"]))
    if job.get("executions"):
        parts.append(f"({counts(job['executions'])})")
    return "  ".join(parts)


def _status(job: Json) -> str:
    """Return the reported status of a job: an inferred one goes to and fro while a rollout goes on in stages."""
    if "status" not in job:
        return "deleted"
    return str(job["status"]) if job["isStatusReported"] else "no status reported"
