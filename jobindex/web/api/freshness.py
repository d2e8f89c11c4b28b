"""How fresh an answer is: a header of structured fields (RFC 9651) on every answer."""

from datetime import datetime

from jobindex.access.principals import Principal
from jobindex.monitoring.state import Ingestion, ServiceState

HEADER = "jobindex-freshness"

_Told = tuple[Ingestion, dict[str, datetime]]


class FreshnessHeader:
    """Tells how fresh the index is, encoded once as long as nothing changes."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._encoded: dict[bool, tuple[_Told, bytes]] = {}

    def encoded(self, principal: Principal) -> bytes:
        """Return the value of the header as it is now, without what a principal may not see."""
        sees_all = principal.namespace_ids is None
        status = self._state.ingestion_status()
        told = (status.ingestion, status.freshness(sees_all=sees_all))
        former, encoded = self._encoded.get(sees_all, (None, b""))
        if told != former:
            times = (f"{name.replace('_', '-')}=@{int(time.timestamp())}" for name, time in told[1].items())
            encoded = ", ".join((f"ingestion={told[0]}", *times)).encode()
            self._encoded[sees_all] = told, encoded
        return encoded
