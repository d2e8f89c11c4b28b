"""The order in which the brokers of a cluster are tried, and their time limits.

After a failure the next broker is tried at once; each round ends with a pause. A short connection counts as a failure:
otherwise two services with one client id would take the session from each other in a loop.

The connection and CONNACK have 3 s each: a SYN may get lost, and a NATS node may wait for a dead leader. Each round
adds 3 s, up to 10 s, for slow brokers.
"""

from collections.abc import Sequence

from jobindex.backoff import Backoff
from jobindex.ingest.broker import Broker

PATIENCE_SECONDS = 3
PATIENCE_MAXIMUM_SECONDS = 10


class Turns:
    """The brokers in order; `broker` is the current one."""

    def __init__(self, brokers: Sequence[Broker]) -> None:
        self.broker = brokers[0]
        self.is_cluster = len(brokers) > 1
        self._brokers = brokers
        self._tried = 0
        self._backoff = Backoff(first=1, greatest=30)

    @property
    def patience_seconds(self) -> float:
        """The limit for the connection, and again for CONNACK, in a cluster."""
        return min(PATIENCE_MAXIMUM_SECONDS, PATIENCE_SECONDS * (1 + self._tried // len(self._brokers)))

    def reset(self) -> None:
        """Start with the first round."""
        self._tried = 0
        self._backoff.reset()

    def advance(self) -> float:
        """Move on to the next broker; return the seconds to wait first."""
        self.broker = self._brokers[(self._brokers.index(self.broker) + 1) % len(self._brokers)]
        self._tried += 1
        return 0 if self._tried % len(self._brokers) else self._backoff.next_seconds()
