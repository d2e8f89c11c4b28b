"""The names by which clients may call this service: a page whose own name was made to lead here is refused.

That a browser is led to an address of somebody's else by a name (DNS rebinding) takes a name, so addresses are always
known, and `localhost`, which nobody can make lead elsewhere.
"""

import re
from collections.abc import Collection, Sequence
from ipaddress import ip_address

from jobindex.errors import AccessDeniedException, shown

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]*)?")


class Hosts:
    """Knows `localhost`, every address, and some names in whichever case."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = {"localhost", *(name.lower() for name in names)}
        self._known: set[bytes] = set()

    def check(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Return where each Host header is one that is known; who sends none (HTTP/1.0) calls no name.

        Raises:
            AccessDeniedException: one is not.
        """
        for name, value in headers:
            if name == b"host" and value not in self._known:
                self._check(value)

    def _check(self, value: bytes) -> None:
        found = _HOST.fullmatch(value.decode("latin-1").strip().lower())
        host = found[1].strip("[]").removesuffix(".") if found else ""
        if host not in self._names and not _is_address(host):
            raise AccessDeniedException(
                f"The host {shown(value.decode('latin-1'))} is none of this service's: JOBINDEX_HTTP_HOSTS names them"
            )
        if len(self._known) < 100:  # checked once; each request has one
            self._known.add(value)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
