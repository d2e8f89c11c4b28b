"""The host names of this service: requests for others are refused, as a defence against DNS rebinding.

The attack needs a name that the attacker can point at this service. So addresses and `localhost`, which nobody can
redirect, are always accepted.
"""

import re
from collections.abc import Collection, Sequence
from ipaddress import ip_address

from jobindex.errors import AccessDeniedException, shown

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]*)?")


class Hosts:
    """Accepts `localhost`, every address, and some names in any case."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = {"localhost", *(name.lower() for name in names)}
        self._known: set[bytes] = set()

    def check(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Check each Host header; a request without one (HTTP/1.0) names no host.

        Raises:
            AccessDeniedException: a host is unknown.
        """
        for name, value in headers:
            if name == b"host" and value not in self._known:
                self._check(value)

    def _check(self, value: bytes) -> None:
        found = _HOST.fullmatch(value.decode("latin-1").strip().lower())
        host = found[1].strip("[]").removesuffix(".") if found else ""
        if host not in self._names and not _is_address(host):
            raise AccessDeniedException(
                f"Unknown host {shown(value.decode('latin-1'))}: it is not in JOBINDEX_HTTP_HOSTS"
            )
        if len(self._known) < 100:  # checked once: every request has one
            self._known.add(value)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
