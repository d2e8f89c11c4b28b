"""How fresh an answer is: a header of structured fields (RFC 9651) on every answer."""

from datetime import datetime

from jobindex.state import Ingestion, State

HEADER = "jobindex-freshness"


class Freshness:
    """Tells how fresh the index is, encoded once as long as nothing changes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._told: tuple[Ingestion, dict[str, datetime]] | None = None
        self._encoded = b""

    def encoded(self) -> bytes:
        """Return the value of the header as it is now."""
        told = (self._state.ingestion, self._state.freshness())
        if told != self._told:
            times = (f"{name.replace('_', '-')}=@{int(time.timestamp())}" for name, time in told[1].items())
            self._told, self._encoded = told, ", ".join((f"ingestion={told[0]}", *times)).encode()
        return self._encoded
