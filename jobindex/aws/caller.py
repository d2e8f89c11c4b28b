"""Calls within the budget, with retries."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from jobindex.aws.answers import AwsAnswer
from jobindex.aws.budget import Budget
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

FAILURES_MAXIMUM = 8
"""After this number of errors of AWS's own in a row, a call has failed; networks and credentials are waited for."""
THROTTLED_MAXIMUM = 5
"""A call that was throttled this often in a row waits: a single throttled call is usual, and only slows the sync."""

_log = logging.getLogger(__name__)


class Client(Protocol):
    """Calls operations; `AwsClient` does."""

    async def call(self, operation: str, **parameters: Any) -> AwsAnswer:  # noqa: ANN401
        """See AwsClient."""


class Caller:
    """Calls operations within a budget, and counts the calls.

    `note` receives each operation with the outcome of a call: `ok`, `throttled`, `denied`, and so on. `on_waiting`
    receives the reason while calls fail that are retried, and None when one succeeds again.
    """

    def __init__(
        self,
        client: Client,
        budget: Budget,
        *,
        note: Callable[[str, str], None],
        on_waiting: Callable[[str | None], None],
        backoff: Callable[[], Backoff] = lambda: Backoff(first=1, greatest=60),
    ) -> None:
        self._client = client
        self.budget = budget
        self._note = note
        self._on_waiting = on_waiting
        self._make_backoff = backoff
        self.calls = self.throttled = 0
        """Since they were last taken."""
        self.skew_seconds = 0.0
        """How far AWS's clock was ahead of ours at the last answer."""
        self.is_of_jobindex = False
        """Whether another jobindex has given the last answer."""

    def take_counts(self) -> tuple[int, int]:
        """Return the calls and the throttled ones since the last time."""
        counts = self.calls, self.throttled
        self.calls = self.throttled = 0
        return counts

    async def call(self, operation: str, **parameters: Any) -> AwsAnswer:  # noqa: ANN401 (as the operation needs)
        """Call an operation; wait while AWS throttles it, cannot be reached, or does not accept the credentials.

        Raises:
            AwsDeniedError, AwsNotFoundError, AwsInvalidError, AwsFailedError: see `errors`.
        """
        backoff = self._make_backoff()
        failures = throttled = 0
        while True:
            await asyncio.sleep(self.budget.take(operation))
            self.calls += 1
            try:
                answer = await self._client.call(operation, **parameters)
            except AwsError as error:
                self._note(operation, _OUTCOMES[type(error)])
                failures += isinstance(error, AwsFailedError)
                if not isinstance(error, _RETRIED) or failures >= FAILURES_MAXIMUM:
                    self._on_waiting(None)
                    raise
                if isinstance(error, AwsThrottledError):
                    throttled += 1
                    self.throttled += 1
                    self.budget.note_throttled(operation)  # which waits
                    if throttled >= THROTTLED_MAXIMUM:
                        self._on_waiting(str(error))
                else:
                    delay = backoff.next_seconds()
                    _log.warning("%s; next attempt in %.1f s", error, delay)
                    self._on_waiting(str(error))
                    await asyncio.sleep(delay)
            else:
                self._note(operation, "ok")
                self.budget.note_answered(operation)
                self._on_waiting(None)
                self.skew_seconds = answer.answered_at / 1000 - time.time()
                self.is_of_jobindex = answer.is_from_jobindex
                return answer


_RETRIED = (AwsThrottledError, AwsUnreachableError, AwsCredentialsError, AwsFailedError)
_OUTCOMES: dict[type[AwsError], str] = {
    AwsThrottledError: "throttled",
    AwsUnreachableError: "unreachable",
    AwsCredentialsError: "credentials",
    AwsFailedError: "failed",
    AwsDeniedError: "denied",
    AwsNotFoundError: "not_found",
    AwsInvalidError: "invalid",
}
