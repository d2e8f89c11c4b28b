"""The publishers' clocks: they must agree with this machine's, because the index orders by the times in messages."""

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from operator import itemgetter

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.cli.client import ServiceClient
from jobindex.cli.direct import BROKEN
from jobindex.cli.output import counted, printable, time
from jobindex.durations import show_duration
from jobindex.errors import InvalidRequestException, ResourceNotFoundException, ServiceError

_CLOCK = Part("clock")
_SECONDS = 8
_AHEAD_SECONDS = 300
_REJECTED_MAXIMUM = 1000
"""The number of rejected messages to read, oldest first."""
_NEWEST_STAMP = re.compile(rb"^jobindex_newest_stamp_timestamp_seconds (\S+)$", re.MULTILINE)
_ADVICE = "Correct the publisher's clock: until that time its messages count as later than all others."


def examine_publishers(service: ServiceClient, now: float) -> Iterator[CheckResult]:
    """Yield problems with times in the future: of the newest job, or else message, and of messages that wait."""
    for examine in _newest, _waiting:
        try:
            found = examine(service, now)
        except (ServiceError, ResourceNotFoundException, InvalidRequestException):
            continue  # the checks of the service report why
        if found is not None:
            yield found


def _newest(service: ServiceClient, now: float) -> CheckResult | None:
    return _newest_job(service, now) or _newest_message(service, now)


def _newest_job(service: ServiceClient, now: float) -> CheckResult | None:
    for job in service.ask("GET", "/jobs", {"maxResults": 1})["jobs"]:
        ahead = job["createdAt"] - now
        if ahead > _AHEAD_SECONDS:
            text = f"job {printable(job['jobId'])} was created at {time(job['createdAt'])}"
            return _CLOCK.problem(f"{text}, {show_duration(ahead)} from now", _ADVICE)
    return None


def _newest_message(service: ServiceClient, now: float) -> CheckResult | None:
    with closing(service.open("GET", "/metrics", seconds=_SECONDS)) as answer, suppress(*BROKEN):
        found = _NEWEST_STAMP.search(answer.read())
        stamp = float(found[1]) if found else 0
        if stamp - now > _AHEAD_SECONDS:
            text = f"a message is stamped {time(stamp)}, {show_duration(stamp - now)} from now"
            return _CLOCK.problem(text, _ADVICE)
    return None


def _waiting(service: ServiceClient, now: float) -> CheckResult | None:
    rejected = islice(service.pages("/rejected", "messages", {}), _REJECTED_MAXIMUM)
    waiting = [message for message in rejected if message.get("dueAt", 0) > now]
    if not waiting:
        return None
    first = min(waiting, key=itemgetter("dueAt"))
    return _CLOCK.problem(
        f"{counted(len(waiting), 'message')} stamped more than 24 hours ahead will be applied later, the first on "
        f"{printable(first['topic'])} at {time(first['dueAt'])}",
        "Correct the publisher's clock; `jobindex rejected purge` deletes messages that should never be applied.",
    )
