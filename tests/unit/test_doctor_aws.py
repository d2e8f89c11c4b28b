"""The results of the doctor's calls to AWS."""

from typing import Any

import pytest

from jobindex.cli.checks.aws import clock_result, events_result, permission_results, source_result
from jobindex.cli.checks.check_result import CheckResult
from jobindex.errors import AwsDeniedError, AwsFailedError

OPERATIONS = ["ListJobs", "DescribeJob"]
NEEDED = "the sync needs only ListJobs, DescribeJob, ListJobExecutionsForJob, DescribeJobExecution"
OURS = "arn:aws:iot:eu-central-1:123456789012:job/update-7"
THEIRS = "arn:aws:iot:us-east-1:210987654321:job/update-7"
UNREPORTED = "arn:aws:iot:us-east-1:000000000000:job/update-7"


def shown(*results: CheckResult) -> list[tuple[str, str]]:
    """Return the mark and the text of results."""
    marks = {True: "unsure", False: "problem"}
    return [("ok" if one.advice is None else marks[one.is_unsure], one.text) for one in results]


def test_permitted_operations_have_one_line() -> None:
    """No operation is named if all are permitted."""
    assert [("ok", "every operation of the sync is permitted")] == shown(*permission_results(OPERATIONS, [], [], None))
    assert [] == [*permission_results([], [], [], None)]


def test_each_denied_operation_has_its_line_and_its_action() -> None:
    """Greengrass's operations have their own service in a policy."""
    denied = [(name, AwsDeniedError(f"{name}: AccessDenied")) for name in ("ListThingGroups", "GetDeployment")]
    results = [*permission_results(OPERATIONS, denied, [], None)]
    assert [
        ("problem", "not permitted: ListThingGroups: AccessDenied"),
        ("problem", "not permitted: GetDeployment: AccessDenied"),
        ("ok", "permitted: ListJobs, DescribeJob"),
    ] == shown(*results)
    actions = ["Allow iot:ListThingGroups", "Allow greengrass:GetDeployment"]
    assert actions == [str(result.advice).partition(" in the policy")[0] for result in results[:2]]


@pytest.mark.parametrize(
    ("endpoint_url", "advice"),
    [
        (None, "Run the doctor again later."),
        (
            "http://other:8080",
            f"If http://other:8080 is another jobindex or an emulator, it may lack operations; {NEEDED}.",
        ),
    ],
)
def test_operations_that_fail_otherwise_are_unsure(endpoint_url: str | None, advice: str) -> None:
    """They share a line, with the first reason; another endpoint may not have them."""
    failed = [(name, AwsFailedError(f"{name}: no such path")) for name in ("ListDeployments", "GetDeployment")]
    first, second = permission_results(OPERATIONS, [], failed, endpoint_url)
    text = "could not check ListDeployments, GetDeployment: ListDeployments: no such path"
    assert [("unsure", text), ("ok", "permitted: ListJobs, DescribeJob")] == shown(first, second)
    assert advice == first.advice


@pytest.mark.parametrize(
    ("source", "arns", "expected"),
    [
        (("eu-central-1", "123456789012"), [OURS, THEIRS], "ok"),
        (("eu-central-1", "123456789012"), [OURS, UNREPORTED], "ok"),
        (("eu-central-1", "123456789012"), [THEIRS], "problem"),
        (("us-east-1", "123456789012"), [OURS], "problem"),
        (("eu-central-1", "000000000000"), [OURS], None),
        (("eu-central-1", "123456789012"), [UNREPORTED], None),
        (("eu-central-1", "123456789012"), [], None),
    ],
)
def test_region_and_account_are_those_of_the_index(
    source: tuple[str, str], arns: list[str], expected: str | None
) -> None:
    """Another region is a problem like another account; an account of zeros says nothing."""
    result = source_result(source, arns)
    assert expected == (None if result is None else shown(result)[0][0])


def test_another_account_is_named_with_that_of_the_index() -> None:
    """Both have their regions."""
    result = source_result(("eu-central-1", "123456789012"), [THEIRS])
    assert result is not None
    text = "AWS answers for account 123456789012 in eu-central-1, but the index has jobs of account 210987654321 in "
    assert f"{text}us-east-1" == result.text


def configured(**enabled: bool) -> dict[str, Any]:
    """Return an answer to DescribeEventConfigurations."""
    return {"eventConfigurations": {name: {"Enabled": is_on} for name, is_on in enabled.items()}}


def test_events_that_are_on_are_ok() -> None:
    """Other event types do not matter."""
    on = events_result(configured(JOB=True, JOB_EXECUTION=True, THING_GROUP=True, THING=False))
    assert on is not None
    assert [("ok", "events of jobs, executions and thing groups are on")] == shown(on)


def test_events_that_are_off_have_the_command() -> None:
    """A type that the answer lacks is off, and so is one without `Enabled`."""
    answer = configured(JOB=True)
    answer["eventConfigurations"]["THING_GROUP"] = {}
    off = events_result(answer)
    assert off is not None
    assert [("problem", "events are off: JOB_EXECUTION, THING_GROUP")] == shown(off)
    command = "aws iot update-event-configurations --event-configurations"
    assert f"Turn them on: {command} 'JOB_EXECUTION={{Enabled=true}},THING_GROUP={{Enabled=true}}'" == off.advice


def test_unknown_events_have_no_result() -> None:
    """A call that fails has its own result."""
    assert events_result({}) is None


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (300.0, ("ok", "AWS's clock and this machine's agree")),
        (-300.0, ("ok", "AWS's clock and this machine's agree")),
        (301.0, ("problem", "this machine's clock says 2026-11-24T15:00:00Z, 5m 01s behind AWS's")),
        (-7300.0, ("problem", "this machine's clock says 2026-11-24T15:00:00Z, 2h 01m ahead of AWS's")),
    ],
)
def test_clocks_more_than_five_minutes_apart_are_a_problem(ahead: float, expected: tuple[str, str]) -> None:
    """In both directions."""
    assert [expected] == shown(clock_result(ahead, 1795532400.9))
