"""Calls to AWS within the budget, with retries."""

from collections.abc import Sequence
from typing import Any

import pytest

from jobindex.aws.answers import AwsAnswer
from jobindex.aws.budget import Budget
from jobindex.aws.caller import FAILURES_MAXIMUM, THROTTLED_MAXIMUM, Caller
from jobindex.backoff import Backoff
from jobindex.errors import (
    AwsCredentialsError,
    AwsDeniedError,
    AwsError,
    AwsFailedError,
    AwsInvalidError,
    AwsNotFoundError,
    AwsThrottledError,
    AwsUnreachableError,
)

ANSWER = AwsAnswer(members={"jobs": []}, answered_at=1_700_000_000_000, as_of=1_700_000_000_000)


class _Client:
    """Raises errors in turn, then answers."""

    def __init__(self, errors: Sequence[AwsError]) -> None:
        self._errors = [*errors]
        self.calls = 0

    async def call(self, operation: str, **parameters: Any) -> AwsAnswer:  # noqa: ARG002
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return ANSWER


class _Harness:
    def __init__(self, *errors: AwsError) -> None:
        self.client = _Client(errors)
        self.outcomes: list[tuple[str, str]] = []
        self.reasons: list[str | None] = []
        self.budget = Budget({"": 10_000})
        self.caller = Caller(
            self.client,
            self.budget,
            note=lambda operation, outcome: self.outcomes.append((operation, outcome)),
            on_waiting=self.reasons.append,
            backoff=lambda: Backoff(first=0.001, greatest=0.002),
        )


async def test_a_throttled_call_is_repeated_at_half_the_rate() -> None:
    """It is counted, halves the rate, and then returns the answer; a single one is no reason to show."""
    harness = _Harness(AwsThrottledError("ListJobs: ThrottlingException: Rate exceeded"))
    assert await harness.caller.call("ListJobs") is ANSWER
    assert harness.caller.take_counts() == (2, 1)
    assert harness.caller.take_counts() == (0, 0)
    assert harness.outcomes == [("ListJobs", "throttled"), ("ListJobs", "ok")]
    assert harness.reasons == [None]
    assert harness.budget.rate("ListJobs") < 10_000 * 0.6


async def test_a_call_that_is_throttled_again_and_again_waits() -> None:
    """From the fifth throttled attempt on, the reason is shown, until the call is answered."""
    harness = _Harness(*[AwsThrottledError("ListJobs: Rate exceeded")] * (THROTTLED_MAXIMUM + 1))
    assert await harness.caller.call("ListJobs") is ANSWER
    assert harness.reasons == ["ListJobs: Rate exceeded"] * 2 + [None]


@pytest.mark.parametrize("kind", [AwsUnreachableError, AwsCredentialsError])
async def test_networks_and_credentials_are_waited_for(kind: type[AwsError]) -> None:
    """However often they fail, the call is repeated, with the reason shown."""
    harness = _Harness(*[kind("ListJobs: down")] * (3 * FAILURES_MAXIMUM))
    assert await harness.caller.call("ListJobs") is ANSWER
    assert harness.client.calls == 3 * FAILURES_MAXIMUM + 1
    assert harness.reasons[-2:] == ["ListJobs: down", None]


async def test_an_error_of_awss_own_fails_after_some_attempts() -> None:
    """A run goes on without an operation that always answers with status 500."""
    harness = _Harness(*[AwsFailedError("ListDeployments: InternalFailure")] * 20)
    with pytest.raises(AwsFailedError, match="InternalFailure"):
        await harness.caller.call("ListDeployments")
    assert harness.client.calls == FAILURES_MAXIMUM
    assert harness.reasons[-1] is None


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [(AwsDeniedError, "denied"), (AwsNotFoundError, "not_found"), (AwsInvalidError, "invalid")],
)
async def test_a_refused_call_is_not_repeated(kind: type[AwsError], outcome: str) -> None:
    """A denied operation, an unknown job and a refused nextToken are the caller's to handle."""
    harness = _Harness(kind("DescribeJob: no"))
    with pytest.raises(kind, match="DescribeJob: no"):
        await harness.caller.call("DescribeJob", jobId="a")
    assert harness.outcomes == [("DescribeJob", outcome)]
