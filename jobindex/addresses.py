"""Network addresses: their form in URLs, and the addresses of one client."""

from ipaddress import IPv6Address, IPv6Network

_NAME_CHARACTERS = 64


def authority(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url(host: str, port: int, *, is_secure: bool) -> str:
    """Return the URL of a service."""
    return f"{'https' if is_secure else 'http'}://{authority(host, port)}"


def local_url(host: str, port: int, *, is_secure: bool) -> str:
    """Return the URL of a service that listens on `host`, for clients on this machine."""
    return url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, is_secure=is_secure)  # noqa: S104


def network_of(address: str) -> str:
    """Return the text that identifies one client: an IPv4 address, or the /64 network of an IPv6 address.

    A proxy may report a text that is not an address: it is cut to 64 characters.
    """
    if ":" not in address:
        return address[:_NAME_CHARACTERS]
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address[:_NAME_CHARACTERS]
    # A dual-stack socket reports IPv4 clients like this.
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), 64), strict=False))
