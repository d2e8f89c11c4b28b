"""What the running service says of itself, and whether its clock is ours."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.request import Request

import orjson

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.direct import UNANSWERED, open_directly
from jobindex.cli.output import time
from jobindex.durations import show_duration
from jobindex.errors import RefusedError, ServiceError

_SERVICE, _CLOCK, _MESSAGES = Part("service"), Part("clock"), Part("messages")
_SECONDS = 8
_CLOCK_SECONDS = 5
_BEHIND_SECONDS = 30


def examine_service(service: ServiceClient) -> Iterator[CheckResult]:
    """Yield what is found of a service."""
    url = service.url
    try:
        with closing(_open(service)) as answer:
            told = dict(orjson.loads(answer.read()))
            date = answer.headers.get("date")
            is_ours = "ready" in told
        now = datetime.now(UTC)
    except UNANSWERED as error:
        reason = getattr(error, "reason", None) or error
        yield _SERVICE.bad(
            f"no service answers at {url}: {reason}",
            "Start it with `jobindex serve`, or correct JOBINDEX_HTTP_HOST and JOBINDEX_HTTP_PORT, or --endpoint.",
        )
        return
    except (ValueError, TypeError):
        is_ours = False
    if not is_ours:
        yield _SERVICE.bad(f"what answers at {url} is no jobindex", "Correct JOBINDEX_HTTP_PORT, or --endpoint.")
        return
    yield _readiness(url, told)
    yield from _session(told, now)
    if date is not None:
        yield _clock(parsedate_to_datetime(date), now)
    try:
        service.ask("GET", "/rejected", {"limit": 1})
    except RefusedError as error:
        yield _key(error)
    except ServiceError:
        pass  # its readiness tells why
    else:
        yield from _messages(told, now)


def _open(service: ServiceClient) -> HTTPResponse | HTTPError:
    request = Request(f"{service.url}/readyz", headers=service.headers)  # noqa: S310 (connect() lets http and https pass)
    try:
        return open_directly(request, seconds=_SECONDS, tls=service.tls)
    except HTTPError as error:
        return error  # 503 tells too


def _readiness(url: str, told: Json) -> CheckResult:
    if told.get("ready"):
        return _SERVICE.well(f"{url} is ready")
    return _SERVICE.bad(f"{url} is not ready: {told.get('reason', 'it does not say why')}", "Look into its log.")


def _session(told: Json, now: datetime) -> Iterator[CheckResult]:
    ingesting = told
    who = "it"
    if told.get("ingestion") == "standby":
        ingesting = dict(told.get("ingestionBy", {}))
        who = f"the replica that ingests{_named(ingesting)}"
        yield _SERVICE.well("it stands by: it would ingest in place of another replica")
    ingestion = ingesting.get("ingestion", "unknown")
    is_connected = ingestion == "connected"
    if is_connected:
        yield _SERVICE.well(f"{who} is connected to its broker since {_time(told, 'connectedSince')}")
    else:
        yield _SERVICE.bad(
            f"{who} is {ingestion}: {ingesting.get('ingestionReason', 'it does not say why')}{_until_then(told)}",
            "Until it is connected it answers from what it knew. What is found of the broker tells what to do.",
        )
    if "completeSince" in told:
        if is_connected:
            yield _SERVICE.well(f"it has been told everything since {_time(told, 'completeSince')}")
    else:
        yield _SERVICE.bad(
            "it does not know since when it has been told everything",
            "It will once every subscription is granted. Until then jobs may be missing.",
        )
    if "oldestUnwritten" in told:
        behind = (now - datetime.fromisoformat(told["oldestUnwritten"])).total_seconds()
        if behind > _BEHIND_SECONDS:
            yield _SERVICE.bad(
                f"it is {show_duration(behind)} behind in writing what it received",
                "Look for `could not be written` in its log, for a full or slow disk, and for who locks the database.",
            )


def _named(replica: Json) -> str:
    return f", {replica['replica']}," if "replica" in replica else ""


def _until_then(told: Json) -> str:
    if "completeSince" not in told:
        return ""
    last = f" (the last message came at {_time(told, 'lastMessage')})" if "lastMessage" in told else ""
    return f"; it was told everything from {_time(told, 'completeSince')} until it lost the broker{last}"


def _clock(there: datetime, now: datetime) -> CheckResult:
    # A Date header is cut to the second, and uvicorn makes it once a second.
    apart = abs((now - there).total_seconds() - 1)
    if apart <= _CLOCK_SECONDS:
        return _CLOCK.well("the service's clock and this machine's agree")
    return _CLOCK.bad(
        f"the service's clock says {there:%Y-%m-%dT%H:%M:%SZ}, this machine's {now:%Y-%m-%dT%H:%M:%SZ}",
        "Set both by NTP: what has no time of its own gets that of its arrival.",
    )


def _key(error: RefusedError) -> CheckResult:
    if error.is_known:
        return _SERVICE.well(
            "the key of JOBINDEX_HTTP_TOKEN is limited to namespaces, and is not told when messages came"
        )
    return _SERVICE.bad(
        f"it does not know who asks: {error}",
        "Set JOBINDEX_HTTP_TOKEN to a token of `jobindex keys add NAME --token`; a new key counts once the service "
        "got SIGHUP.",
    )


def _messages(told: Json, now: datetime) -> Iterator[CheckResult]:
    if "lastMessage" not in told:
        yield _MESSAGES.well(
            "none has arrived since the service was started; where something was published, know that mosquitto "
            "with an acl_file grants every filter and holds back what may not be read"
        )
        return
    ago = (now - datetime.fromisoformat(told["lastMessage"])).total_seconds()
    yield _MESSAGES.well(f"the last one arrived {show_duration(ago)} ago")


def _time(told: Json, name: str) -> str:
    return time(datetime.fromisoformat(told[name]).timestamp()) if name in told else "an unknown time"
