"""AWS, as the sync calls it: credentials, permissions, account and region, events, and AWS's clock."""

import asyncio
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from jobindex.aws.account import NO_ACCOUNT, region_and_account
from jobindex.aws.events import events_off, turning_on
from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.cli.client import Json, ServiceClient
from jobindex.cli.output import time
from jobindex.durations import show_duration
from jobindex.errors import (
    AwsCredentialsError,
    AwsDeniedError,
    AwsError,
    AwsNotFoundError,
    AwsUnreachableError,
    InvalidRequestException,
    ResourceNotFoundException,
    ServiceError,
)
from jobindex.model.parameters import MAX_RESULTS

if TYPE_CHECKING:
    from jobindex.aws.client import AwsClient

_AWS, _CLOCK = Part("aws"), Part("clock")
_APART_SECONDS = 300
"""AWS refuses signatures that are older, https://docs.aws.amazon.com/general/latest/gr/sigv4_troubleshooting.html."""
_NOBODY = "jobindex-doctor"
"""The id of a job, thing or group that should not exist: the answer that it does not is permission enough."""
_NO_DEPLOYMENT = "00000000-0000-0000-0000-000000000000"
_NEEDED = ("ListJobs", "DescribeJob", "ListJobExecutionsForJob", "DescribeJobExecution")
_GREENGRASS = {"ListDeployments", "GetDeployment"}


def examine_aws(endpoint_url: str | None, *, region: str, service: ServiceClient) -> Iterator[CheckResult]:
    """Yield the results of calling each operation of the sync once; `region` counts if the SDK's chain has none."""
    if find_spec("boto3") is None:
        yield _AWS.problem("boto3, which the sync needs, is not installed", "Run `pip install boto3`.")
        return
    from jobindex.aws.client import AwsClient

    client = AwsClient(endpoint_url=endpoint_url, region=region)
    yield from asyncio.run(_examine(client, endpoint_url, _reported_arns(service)))


@dataclass(slots=True)
class _SyncCalls:
    """Calls of the sync's operations, and their outcomes."""

    client: "AwsClient"
    permitted: list[str] = field(default_factory=list)
    denied: list[tuple[str, AwsDeniedError]] = field(default_factory=list)
    failed: list[tuple[str, AwsError]] = field(default_factory=list)
    ahead_seconds: float | None = None
    """AWS's clock, minus this machine's; None without an answer."""

    async def call(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        """Return the members of an answer, none if the call fails.

        Raises:
            AwsCredentialsError, AwsUnreachableError: the other calls would fail, too.
        """
        try:
            answer = await self.client.call(operation, **parameters)
        except (AwsCredentialsError, AwsUnreachableError):
            raise
        except AwsNotFoundError:
            self.permitted.append(operation)
        except AwsDeniedError as error:
            self.denied.append((operation, error))
        except AwsError as error:
            self.failed.append((operation, error))
        else:
            self.permitted.append(operation)
            self.ahead_seconds = answer.answered_at / 1000 - clock.time()
            return answer.members
        return {}


async def _examine(client: "AwsClient", endpoint_url: str | None, reported_arns: Sequence[str]) -> list[CheckResult]:
    try:
        identity = (await client.call("GetCallerIdentity")).members
    except AwsError:  # the endpoint may be another jobindex, or reach only AWS IoT; the next calls decide
        identity = {}
    calls = _SyncCalls(client)
    try:
        events = await calls.call("DescribeEventConfigurations")
        first = await _call_others(calls)
        region = await client.region()
    except AwsCredentialsError as error:
        advice = (
            "Give the service credentials in the way of AWS's SDKs, such as AWS_PROFILE or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or renew them. AWS also refuses them if the clock of this machine is wrong."
        )
        return [_AWS.problem(f"no valid credentials: {error}", advice)]
    except AwsUnreachableError as error:
        advice = "Check the network and its proxy, the region, and JOBINDEX_AWS_ENDPOINT_URL if it is set."
        return [_AWS.problem(f"AWS does not answer: {error}", advice)]
    named = identity.get("Arn")
    arns = [job["jobArn"] for job in first if "jobArn" in job]
    source = region_and_account(arns[0]) if arns else (region, str(identity.get("Account", NO_ACCOUNT)))
    is_accepted = bool(calls.permitted or calls.denied)
    results = [
        _AWS.ok(f"the credentials {f'of {named} ' if named else ''}are accepted in {region}") if is_accepted else None,
        *permission_results(calls.permitted, calls.denied, calls.failed, endpoint_url),
        source_result(source, reported_arns),
        events_result(events),
        None if calls.ahead_seconds is None else clock_result(calls.ahead_seconds, clock.time()),
    ]
    return [result for result in results if result is not None]


async def _call_others(calls: _SyncCalls) -> Sequence[Json]:
    """Call the other operations, with names from their lists if possible; return jobs of the list."""
    jobs = (await calls.call("ListJobs", maxResults=1)).get("jobs") or []
    job_id = jobs[0]["jobId"] if jobs else _NOBODY
    await calls.call("DescribeJob", jobId=job_id)
    executions = (await calls.call("ListJobExecutionsForJob", jobId=job_id, maxResults=1)).get("executionSummaries")
    thing_name = executions[0]["thingArn"].rpartition("/")[2] if executions else _NOBODY
    await calls.call("DescribeJobExecution", jobId=job_id, thingName=thing_name)
    groups = (await calls.call("ListThingGroups", maxResults=1)).get("thingGroups")
    group_name = groups[0]["groupName"] if groups else _NOBODY
    await calls.call("ListThingsInThingGroup", thingGroupName=group_name, maxResults=1)
    deployments = (await calls.call("ListDeployments", maxResults=1)).get("deployments")
    await calls.call("GetDeployment", deploymentId=deployments[0]["deploymentId"] if deployments else _NO_DEPLOYMENT)
    return jobs


def permission_results(
    permitted: Sequence[str],
    denied: Sequence[tuple[str, AwsDeniedError]],
    failed: Sequence[tuple[str, AwsError]],
    endpoint_url: str | None,
) -> Iterator[CheckResult]:
    """Yield a result for each operation that is denied, one for those that fail otherwise, and one for the others."""
    for operation, error in denied:
        action = f"{'greengrass' if operation in _GREENGRASS else 'iot'}:{operation}"
        yield _AWS.problem(f"not permitted: {error}", f"Allow {action} in the policy of these credentials.")
    if failed:
        text = f"could not check {', '.join(operation for operation, _ in failed)}: {failed[0][1]}"
        advice = (
            "Run the doctor again later."
            if endpoint_url is None
            else f"If {endpoint_url} is another jobindex or an emulator, it may lack operations; the sync needs only "
            f"{', '.join(_NEEDED)}."
        )
        yield _AWS.unsure(text, advice)
    if permitted:
        is_all = not denied and not failed
        yield _AWS.ok("every operation of the sync is permitted" if is_all else f"permitted: {', '.join(permitted)}")


def source_result(source: tuple[str, str], reported_arns: Sequence[str]) -> CheckResult | None:
    """Return whether the region and account of AWS's answers are those in ARNs of the index; None if unknown."""
    reported = {found for arn in reported_arns if (found := region_and_account(arn))[1] != NO_ACCOUNT}
    if not reported or source[1] == NO_ACCOUNT:
        return None
    text = f"AWS answers for account {source[1]} in {source[0]}"
    if source in reported:
        return _AWS.ok(f"{text}, as messages report")
    others = " and ".join(f"account {account} in {region}" for region, account in sorted(reported))
    return _AWS.problem(
        f"{text}, but the index has jobs of {others}",
        "Correct the credentials, the region (the profile's, AWS_DEFAULT_REGION or JOBINDEX_AWS_REGION), or the broker "
        "in JOBINDEX_MQTT_URL. Jobs without a reported ARN have JOBINDEX_AWS_REGION and JOBINDEX_AWS_ACCOUNT_ID.",
    )


def events_result(members: Mapping[str, Any]) -> CheckResult | None:
    """Return whether the events of the default topic filters are on; None if that is not known."""
    if "eventConfigurations" not in members:
        return None
    off = events_off(members)
    if not off:
        return _AWS.ok("events of jobs, executions and thing groups are on")
    return _AWS.problem(f"events are off: {', '.join(off)}", f"Turn them on: {turning_on(off)}")


def clock_result(ahead_seconds: float, now: float) -> CheckResult:
    """Return whether AWS's clock, which is ahead by some seconds, agrees with this machine's."""
    if abs(ahead_seconds) <= _APART_SECONDS:
        return _CLOCK.ok("AWS's clock and this machine's agree")
    apart = f"{show_duration(abs(ahead_seconds))} {'behind' if ahead_seconds > 0 else 'ahead of'} AWS's"
    return _CLOCK.problem(
        f"this machine's clock says {time(now)}, {apart}",
        "Synchronize it with NTP: AWS refuses signatures with a wrong time.",
    )


def _reported_arns(service: ServiceClient) -> Sequence[str]:
    try:
        jobs = service.ask("GET", "/jobs", {"maxResults": MAX_RESULTS})["jobs"]
    except (ServiceError, ResourceNotFoundException, InvalidRequestException):
        return []  # the checks of the service report why
    return [job["jobArn"] for job in jobs]
