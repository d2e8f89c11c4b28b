"""The freshness of the index, as a header of structured fields (RFC 9651)."""

from datetime import datetime

from jobindex.access.principals import Principal
from jobindex.monitoring.state import Ingestion, ServiceState

HEADER = "jobindex-freshness"

_Freshness = tuple[Ingestion, dict[str, datetime], frozenset[str]]


class FreshnessHeader:
    """The header's value, encoded once until it changes."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._encoded: dict[bool, tuple[_Freshness, bytes]] = {}

    def encoded(self, principal: Principal) -> bytes:
        """Return the current value, limited to a principal's scope."""
        sees_all = principal.namespace_ids is None
        status = self._state.ingestion_status()
        freshness = (status.ingestion, status.freshness(sees_all=sees_all), status.settling)
        former, encoded = self._encoded.get(sees_all, (None, b""))
        if freshness != former:
            times = (f"{name.replace('_', '-')}=@{int(time.timestamp())}" for name, time in freshness[1].items())
            settling = [f"settling=({' '.join(sorted(status.settling))})"] if status.settling else []
            encoded = ", ".join((f"ingestion={status.ingestion}", *times, *settling)).encode()
            self._encoded[sees_all] = freshness, encoded
        return encoded
