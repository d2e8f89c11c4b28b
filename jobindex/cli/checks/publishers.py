"""Whether those who publish have clocks that agree with this machine's: the index orders by the times they tell."""

from collections.abc import Iterator

from jobindex.cli.checks.check_result import CheckResult
from jobindex.cli.client import ServiceClient
from jobindex.cli.output import printable, time
from jobindex.durations import show_duration
from jobindex.errors import InvalidRequestException, ResourceNotFoundException, ServiceError

_AHEAD_SECONDS = 300


def examine_publishers(service: ServiceClient, now: float) -> Iterator[CheckResult]:
    """Yield what is found of the newest job, which is the one of the greatest createdAt."""
    try:
        newest = service.ask("GET", "/jobs", {"maxResults": 1})["jobs"]
    except (ServiceError, ResourceNotFoundException, InvalidRequestException):
        return  # what is found of the service tells why
    for job in newest:
        ahead = job["createdAt"] - now
        if ahead > _AHEAD_SECONDS:
            yield CheckResult(
                part="clock",
                told=f"job {printable(job['jobId'])} was created at {time(job['createdAt'])}, "
                f"{show_duration(ahead)} from now",
                advice="Set the clock of who publishes: its messages count as later than all that come until then.",
            )
