"""The identity of a client for limits: its key, or its address if it has no key."""

from starlette.types import Scope

from jobindex.access.access import principal_of
from jobindex.access.principals import ANYONE, NOBODY
from jobindex.addresses import network_of


def client_id_of(scope: Scope) -> str:
    """Return the client's id."""
    principal = principal_of(scope)
    if principal is not ANYONE and principal is not NOBODY:
        return principal.holder
    address = scope["client"][0] if scope.get("client") else "unknown"
    return f"address {network_of(address)}"
