"""The running service: its report of its own state, and its clock."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from time import monotonic, sleep
from urllib.error import HTTPError
from urllib.request import Request

import orjson

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.direct import UNANSWERED, open_directly
from jobindex.cli.output import time
from jobindex.durations import show_duration
from jobindex.errors import InvalidRequestException, RefusedError, ResourceNotFoundException, ServiceError

_ACL_ADVICE = (
    "If a message was published, note that mosquitto with an acl_file grants every filter, but withholds the messages "
    "that the user may not read. Give the user `topic read $aws/#` there; a bridge must also name these topics."
)
_SERVICE, _CLOCK, _MESSAGES = Part("service"), Part("clock"), Part("messages")
_SECONDS = 8
_CLOCK_SECONDS = 5
_BEHIND_SECONDS = 30
_POLL_SECONDS = 0.5
_LOSS_SECONDS = 24 * 3600  # an older loss is known by now


def examine_service(service: ServiceClient) -> Iterator[CheckResult]:
    """Yield the results."""
    url = service.url
    try:
        with closing(_open(service)) as answer:
            report = dict(orjson.loads(answer.read()))
            date = answer.headers.get("date")
            is_ours = "ready" in report
        now = datetime.now(UTC)
    except UNANSWERED as error:
        reason = getattr(error, "reason", None) or error
        yield _SERVICE.problem(
            f"no service answers at {url}: {reason}",
            "Start it with `jobindex serve`, or correct JOBINDEX_HTTP_HOST and JOBINDEX_HTTP_PORT, or --endpoint.",
        )
        return
    except (ValueError, TypeError):
        is_ours = False
    if not is_ours:
        yield _SERVICE.problem(f"the server at {url} is not jobindex", "Correct JOBINDEX_HTTP_PORT, or --endpoint.")
        return
    yield _readiness(url, report)
    yield from _session(report, now)
    if date is not None:
        yield _clock(parsedate_to_datetime(date), now)
    try:
        service.ask("GET", "/rejected", {"limit": 1})
    except RefusedError as error:
        yield _key(error)
    except ServiceError:
        pass  # its readiness has the reason
    else:
        yield from _messages(report, now)


def listen(service: ServiceClient, seconds: int) -> CheckResult:
    """Wait until /readyz reports a message; the service's broker session is not disturbed."""
    try:
        service.ask("GET", "/rejected", {"limit": 1})  # a key that is refused here cannot see `lastMessage`
        known = {None, service.ask("GET", "/readyz").get("lastMessage")}
        started = monotonic()
        while (left := started + seconds - monotonic()) > 0:
            sleep(min(_POLL_SECONDS, left))
            if service.ask("GET", "/readyz").get("lastMessage") not in known:
                return _MESSAGES.ok(f"a message arrived within {show_duration(monotonic() - started + 1)}")
    except (ServiceError, ResourceNotFoundException, InvalidRequestException) as error:
        return _MESSAGES.unsure(f"could not listen: {error}", "See the results for the service.")
    return _MESSAGES.unsure(f"no message arrived within {show_duration(seconds)}", _ACL_ADVICE)


def _open(service: ServiceClient) -> HTTPResponse | HTTPError:
    request = Request(f"{service.url}/readyz", headers=service.headers)  # noqa: S310 (connect() allows only http and https)
    try:
        return open_directly(request, seconds=_SECONDS, tls=service.tls)
    except HTTPError as error:
        return error  # the body of a 503 is a report, too


def _readiness(url: str, report: Json) -> CheckResult:
    if report.get("ready"):
        return _SERVICE.ok(f"{url} is ready")
    return _SERVICE.problem(f"{url} is not ready: {report.get('reason', 'it gives no reason')}", "Look at its log.")


def _session(report: Json, now: datetime) -> Iterator[CheckResult]:
    ingesting = report
    subject = "it"
    if report.get("ingestion") == "standby":
        ingesting = dict(report.get("ingestionBy", {}))
        subject = f"the replica that ingests{_named(ingesting)}"
        yield _SERVICE.ok("it is on standby: it takes over if the replica that ingests stops")
    ingestion = ingesting.get("ingestion", "unknown")
    is_connected = ingestion == "connected"
    if is_connected:
        yield _SERVICE.ok(f"{subject} has been connected to its broker since {_time(report, 'connectedSince')}")
    else:
        yield _SERVICE.problem(
            f"{subject} is {ingestion}: {ingesting.get('ingestionReason', 'it gives no reason')}{_until_then(report)}",
            "Until it is connected, its answers may be out of date. See the results for the broker.",
        )
    if "completeSince" in report:
        if is_connected:
            yield _SERVICE.ok(f"its index has been complete since {_time(report, 'completeSince')}")
    else:
        yield _SERVICE.problem(
            "its index is not known to be complete",
            "It is complete from the moment that every subscription is granted. Until then jobs may be missing.",
        )
    lost = report.get("sessionLost")
    if lost is not None and (now - datetime.fromisoformat(lost)).total_seconds() < _LOSS_SECONDS:
        yield _SERVICE.problem(
            f"at {_time(report, 'sessionLost')} the broker had lost the session: messages may be missing",
            "Let the broker keep sessions across a restart: mosquitto needs `persistence true`, and in a container a "
            "volume at its `persistence_location`. A session also ends if the service is away for longer than the "
            "broker keeps it, and all brokers of a cluster must share it.",
        )
    if "setAside" in report:
        yield _SERVICE.problem(
            f"the database refuses deferred work: {'; '.join(report['setAside'])}",
            "This is a bug in jobindex: please report it with the log. A restart tries the work again.",
        )
    if "unwritable" in report:
        yield _SERVICE.problem(
            f"{subject} cannot write: {report['unwritable']}",
            "Free some space on the disk, or end the process that locks the database. New messages wait at the "
            "broker, within its limits.",
        )
    if "oldestUnwritten" in report:
        behind = (now - datetime.fromisoformat(report["oldestUnwritten"])).total_seconds()
        if behind > _BEHIND_SECONDS:
            yield _SERVICE.problem(
                f"it is {show_duration(behind)} behind in writing received messages",
                "Look for `cannot be written` in its log, for a full or slow disk, and for a process that locks the "
                "database.",
            )


def _named(replica: Json) -> str:
    return f", {replica['replica']}," if "replica" in replica else ""


def _until_then(report: Json) -> str:
    if "completeSince" not in report:
        return ""
    last = f" (the last message arrived at {_time(report, 'lastMessage')})" if "lastMessage" in report else ""
    return f"; its index is complete from {_time(report, 'completeSince')} until it lost the broker{last}"


def _clock(there: datetime, now: datetime) -> CheckResult:
    # A Date header has whole seconds, and uvicorn renews it once a second.
    apart = abs((now - there).total_seconds() - 1)
    if apart <= _CLOCK_SECONDS:
        return _CLOCK.ok("the service's clock and this machine's agree")
    return _CLOCK.problem(
        f"the service's clock says {there:%Y-%m-%dT%H:%M:%SZ}, this machine's {now:%Y-%m-%dT%H:%M:%SZ}",
        "Synchronize both with NTP: a message without a time gets the time of its arrival.",
    )


def _key(error: RefusedError) -> CheckResult:
    if error.is_known:
        return _SERVICE.ok(
            "the key of JOBINDEX_HTTP_TOKEN is limited to namespaces, and cannot see when messages arrived"
        )
    return _SERVICE.problem(
        f"it does not know the client: {error}",
        "Set JOBINDEX_HTTP_TOKEN to a token from `jobindex keys add NAME --token`; a running service reads a new key "
        "on SIGHUP.",
    )


def _messages(report: Json, now: datetime) -> Iterator[CheckResult]:
    if report.get("nothingEverArrived"):
        yield _MESSAGES.unsure(
            "the service is connected and subscribed, but no message has ever arrived",
            f"Publish one while `jobindex doctor --listen 30s` waits for it. {_ACL_ADVICE}",
        )
        return
    if "lastMessage" not in report:
        yield _MESSAGES.ok(
            "no message has arrived since the service started; if one was published, note that mosquitto with an "
            "acl_file grants every filter, but withholds the messages that the user may not read"
        )
        return
    ago = (now - datetime.fromisoformat(report["lastMessage"])).total_seconds()
    yield _MESSAGES.ok(f"the last message arrived {show_duration(ago)} ago")


def _time(report: Json, name: str) -> str:
    return time(datetime.fromisoformat(report[name]).timestamp()) if name in report else "an unknown time"
