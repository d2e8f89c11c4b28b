"""The clock that stamps arrivals.

A message stamped more than 24 hours after its arrival is rejected until its time has come. A clock that is behind (a
board without a battery starts in 1970) would reject all messages, so nothing is read then: the broker queues them.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from jobindex.errors import ClockError
from jobindex.messages.drafts import AHEAD_MILLISECONDS
from jobindex.monitoring.state import ServiceState

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""The current time cannot be earlier; each release sets it to its own day."""
TOLERANCE = timedelta(milliseconds=AHEAD_MILLISECONDS)


def believed_time(now: Callable[[], datetime], state: ServiceState) -> datetime:
    """Return the time, if the clock can be trusted.

    Raises:
        ClockError: it is before the release, or more than TOLERANCE behind the newest arrival.
    """
    time = now()
    newest = state.newest_arrival_at
    if time < RELEASED:
        raise _behind(time, f"this version was released on {RELEASED:%Y-%m-%d}")
    if newest is not None and newest - time > TOLERANCE:
        raise _behind(time, f"the newest message of the index arrived at {shown_time(newest)}")
    return time


def shown_time(time: datetime) -> str:
    """Format a time for log lines."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _behind(time: datetime, evidence: str) -> ClockError:
    return ClockError(f"the clock says {shown_time(time)}, but {evidence}: nothing is read until the clock is right")
