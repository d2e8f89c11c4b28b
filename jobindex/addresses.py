"""Network addresses: how URLs write them, and which of them one client has."""

from ipaddress import IPv6Address, IPv6Network

_NAME_CHARACTERS = 64


def authority(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url(host: str, port: int, *, is_secure: bool) -> str:
    """Return the URL of a service, by HTTPS where it `is_secure`."""
    return f"{'https' if is_secure else 'http'}://{authority(host, port)}"


def local_url(host: str, port: int, *, is_secure: bool) -> str:
    """Return where this machine reaches a service that listens on `host`."""
    return url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, is_secure=is_secure)  # noqa: S104


def network_of(address: str) -> str:
    """Return what is counted as one client: an IPv4 address, or of IPv6 the network, of which a client has all.

    What is no address, as a proxy may tell it, is counted by its beginning.
    """
    if ":" not in address:
        return address[:_NAME_CHARACTERS]
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address[:_NAME_CHARACTERS]
    # So IPv4 comes to a socket that takes both.
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), 64), strict=False))
