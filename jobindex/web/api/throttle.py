"""A limit on the requests that wait for the index: more would only wait longer, and use memory."""

from types import TracebackType
from typing import NoReturn

from jobindex.errors import ThrottlingException
from jobindex.monitoring.metrics import Metrics

CONCURRENCY_MAXIMUM = 1000
"""Requests in flight; further ones are throttled, and SDKs retry them."""
PAGES_MAXIMUM = 200
"""Pages in flight: each takes some milliseconds, and ListJobs has to be answered between them."""


class Throttle:
    """Limits the requests in flight in its context."""

    def __init__(self, metrics: Metrics, maximum: int = CONCURRENCY_MAXIMUM) -> None:
        self._metrics = metrics
        self._maximum = maximum
        self._under_way = 0

    def __enter__(self) -> None:
        """Begin a request.

        Raises:
            ThrottlingException: too many are in flight.
        """
        if self._under_way >= self._maximum:
            self.refuse()
        self._under_way += 1

    def refuse(self) -> NoReturn:
        """Refuse a request over the limit, and count it.

        Raises:
            ThrottlingException: always.
        """
        self._metrics.throttled.inc()
        raise ThrottlingException("The rate exceeds the limit.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._under_way -= 1
