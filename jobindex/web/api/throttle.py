"""A bound on the requests that wait for the index: more would only wait longer, in memory."""

from types import TracebackType
from typing import NoReturn

from jobindex.errors import ThrottlingException
from jobindex.monitoring.metrics import Metrics

CONCURRENCY_MAXIMUM = 1000
"""Requests under way at once; further ones are throttled, and SDKs try again."""
PAGES_MAXIMUM = 200
"""Pages under way at once: each takes some milliseconds, and ListJobs is answered beside them."""


class Throttle:
    """Counts the requests that are under way in its context."""

    def __init__(self, metrics: Metrics, maximum: int = CONCURRENCY_MAXIMUM) -> None:
        self._metrics = metrics
        self._maximum = maximum
        self._under_way = 0

    def __enter__(self) -> None:
        """Begin a request.

        Raises:
            ThrottlingException: too many are under way.
        """
        if self._under_way >= self._maximum:
            self.refuse()
        self._under_way += 1

    def refuse(self) -> NoReturn:
        """Count a request that is too many.

        Raises:
            ThrottlingException: always.
        """
        self._metrics.throttled.inc()
        raise ThrottlingException("The rate exceeds the limit.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._under_way -= 1
