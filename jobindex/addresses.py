"""Network addresses as URLs write them."""


def authority(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url(host: str, port: int, *, is_secure: bool) -> str:
    """Return the URL of a service, by HTTPS where it `is_secure`."""
    return f"{'https' if is_secure else 'http'}://{authority(host, port)}"


def local_url(host: str, port: int, *, is_secure: bool) -> str:
    """Return where this machine reaches a service that listens on `host`."""
    return url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, is_secure=is_secure)  # noqa: S104
