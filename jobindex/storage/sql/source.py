"""The source of messages: the region and account of its ARNs, and its first job event."""

from functools import lru_cache

from jobindex.model.reports import UNTIMED, MemberValue
from jobindex.storage.sql.connection import Connection

_READ = "SELECT arn_prefix, arn_reported_at, events_since FROM source"
_WRITE = """
INSERT INTO source (the_one, arn_prefix, arn_reported_at, events_since)
VALUES (1, :arn_prefix, :arn_reported_at, :events_since)
ON CONFLICT (the_one) DO UPDATE SET
    arn_prefix = excluded.arn_prefix,
    arn_reported_at = excluded.arn_reported_at,
    events_since = excluded.events_since
"""


class MessageSource:
    """The last ARN's prefix, and the second of the first job event."""

    def __init__(self, arn: tuple[int, str] | None, events_since: int | None) -> None:
        self._arn = self._former_arn = arn
        self.events_since = self._former_events_since = events_since

    @classmethod
    def load(cls, connection: Connection) -> "MessageSource":
        """Read the stored facts."""
        for arn_prefix, arn_reported_at, events_since in connection.execute(_READ):
            return cls(None if arn_prefix is None else (arn_reported_at, arn_prefix), events_since)
        return cls(None, None)

    @property
    def is_events_since_changed(self) -> bool:
        """Whether an earlier job event has become known."""
        return self.events_since != self._former_events_since

    def note_arn(self, arn: MemberValue | None, time: int) -> None:
        """Record an ARN reported at `time` (ms); the latest counts."""
        if arn is not None:
            self._arn = max(self._arn or (UNTIMED, ""), (time, _prefix(str(arn))))

    def note_event(self, published_at: int) -> None:
        """Record a job event's second of publication; UNTIMED for other messages."""
        if published_at > UNTIMED and (self.events_since is None or published_at < self.events_since):
            self.events_since = published_at

    def write(self, connection: Connection) -> None:
        """Write the facts if they have changed."""
        if (self._arn, self.events_since) != (self._former_arn, self._former_events_since):
            time, prefix = self._arn or (None, None)
            connection.execute(
                _WRITE, {"arn_prefix": prefix, "arn_reported_at": time, "events_since": self.events_since}
            )


def read_arn_prefix(connection: Connection, default: str) -> str:
    """Return the prefix of the last reported ARN, else the default."""
    for prefix, *_ in connection.execute(_READ):
        return default if prefix is None else str(prefix)
    return default


@lru_cache(maxsize=4096)
def _prefix(arn: str) -> str:
    """Return for example `arn:aws:iot:us-east-1:123456789012`."""
    return ":".join(arn.split(":", 5)[:5])
