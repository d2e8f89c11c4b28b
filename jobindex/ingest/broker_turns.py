"""Whose turn it is among the brokers of a cluster, and how long each is waited for.

One that does not work is left for the next at once, until all were tried: then there is a pause before each further
round. A connection that did not last counts as tried: two services with one client id would take the session from each
other without a pause.

In the first round a broker has three seconds to take a connection, and three more to answer CONNECT: a SYN may be lost
meanwhile, and what a NATS node asks of a leader that has just died is not answered, however long it waits. Further
rounds give more, up to what a broker alone has: one that is only slow has to be waited for.
"""

from collections.abc import Sequence

from jobindex.backoff import Backoff
from jobindex.ingest.broker import Broker

PATIENCE_SECONDS = 3
PATIENCE_MAXIMUM_SECONDS = 10


class Turns:
    """The brokers, of which one has its turn; one alone has it always."""

    def __init__(self, brokers: Sequence[Broker]) -> None:
        self.broker = brokers[0]
        """Whose turn it is."""
        self.is_cluster = len(brokers) > 1
        """Whether there is another broker."""
        self._brokers = brokers
        self._tried = 0
        self._backoff = Backoff(first=1, greatest=30)

    @property
    def patience_seconds(self) -> float:
        """How long the broker has to take a connection, and as long again to answer, where there is another."""
        return min(PATIENCE_MAXIMUM_SECONDS, PATIENCE_SECONDS * (1 + self._tried // len(self._brokers)))

    def reset(self) -> None:
        """Begin with a first round: the broker has worked for some time."""
        self._tried = 0
        self._backoff.reset()

    def pass_on(self) -> float:
        """Give the turn to the next broker, after the last to the first; return the seconds to wait before."""
        self.broker = self._brokers[(self._brokers.index(self.broker) + 1) % len(self._brokers)]
        self._tried += 1
        return 0 if self._tried % len(self._brokers) else self._backoff.next_seconds()
