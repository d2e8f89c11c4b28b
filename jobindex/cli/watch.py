"""`jobindex watch`: each job that changes, as it changes.

The service's events name the changed jobs, and the command fetches each one. So a job that changes twice in a moment
has one line, with its current status.
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
"""The timeout of the stream, in which the service sends several keep-alives."""


def watch(
    *,
    namespace_id: NamespaceId = None,
    job_id: Annotated[str | None, typer.Option("--job", metavar="JOB", help="Watch only this job.")] = None,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Print a line for each job that changes, with its reported status and its current executions, until Ctrl-C.

    If the service goes away or refuses requests for a while, the command waits for it; changes in that time are not
    printed. Exits with 0 on Ctrl-C. At the start it exits with 3 if no service answers, and with the status of other
    commands if the service refuses the request.
    """
    service = connect(endpoint)
    parameters = {"namespaceId": namespace_id, "jobId": job_id}
    changed = ChangedJobs(service, job_id=job_id, namespace_id=namespace_id)
    backoff = Backoff(first=0.5, greatest=5)
    has_watched = False
    last_reason = ""
    try:
        while True:
            try:
                for event in _events(service, parameters):
                    if event is None:
                        note(f"Watching {service.url}{'; changes until now were not printed' if has_watched else ''}")
                        warn(service)
                        has_watched = True
                        last_reason = ""
                        backoff.reset()
                    else:
                        for job in changed.named_by(event):
                            say(encode(_encoded(event, job)) if json else _line(event, job))
                reason = f"{service.url}: the service ended the stream"
            except (ServiceError, ResourceNotFoundException, InvalidRequestException) as error:
                # After a first answer, errors pass: the service is overloaded, or a proxy answers in its place.
                if not has_watched:
                    raise
                reason = str(error)
            if reason != last_reason:
                note(f"{reason}; retrying")
                last_reason = reason
            clock.sleep(backoff.next_seconds())
    except KeyboardInterrupt:
        return


def _events(service: ServiceClient, parameters: Json) -> Iterator[Json | None]:
    """Yield None once connected, then the content of each change event, until the service ends the stream."""
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
            raise ServiceError(f"{service.url}: this is not an answer from jobindex: {error}") from error


def _encoded(event: Json, job: Json | None) -> Json:
    """Return a line for programs: a deleted job has no status; `jobId` is null if the event names no jobs."""
    members = {"jobId": None, "namespaces": event["namespaces"]} if job is None else job
    return {"at": event["at"], **members}


def _line(event: Json, job: Json | None) -> str:
    at = event["at"]
    if job is None:
        owners = f" of {printable(', '.join(event['namespaces']))}" if event["namespaces"] else ""
        return f"{time(at)}  jobs{owners} changed; the event does not name them"
    parts = [time(at), printable(job["jobId"]), styled(printable(_status(job)))]
    if job.get("namespaceId"):
        parts.append(printable(job["namespaceId"]))
    if job.get("executions"):
        parts.append(f"({counts(job['executions'])})")
    return "  ".join(parts)


def _status(job: Json) -> str:
    """Return the reported status: an inferred one changes back and forth during a staged rollout."""
    if "status" not in job:
        return "deleted"
    return str(job["status"]) if job["isStatusReported"] else "no status reported"
