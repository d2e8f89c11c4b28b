"""The settings of HTTP: where, who is let in, by which names and certificates."""

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from jobindex.config.reader import Reader
from jobindex.errors import KeysError
from jobindex.keys import Keys
from jobindex.keys_file import read_keys
from jobindex.signatures import PublicUrl
from jobindex.tls import pinned_context, server_context, verifying_context

_HTTP_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """How the service is asked."""

    host: str
    port: int
    keys_path: Path | None
    """The file of the keys."""
    keys: Keys | None
    """Those that it held; None, without a file, lets everyone in."""
    token: str | None = field(repr=False)
    """By which commands ask the service."""
    host_names: frozenset[str]
    """By which clients may call it, besides addresses and `localhost`."""
    public: PublicUrl | None
    """Where clients ask, when a proxy stands before it."""
    proxies: tuple[str, ...]
    """Addresses and networks of proxies whose word on the client's address is taken."""
    cert_file: Path | None
    """The certificate of the service, with those that lead to its authority; HTTP is HTTPS where it is set."""
    key_file: Path | None
    """Its key; None where that stands in the same file."""
    tls: ssl.SSLContext | None
    """What HTTPS is served with."""
    ca_file: Path | None
    """The authorities of an endpoint that a command is given; None is the system's."""
    rate: float | None
    """Requests a second that each key, or address, may send; None does not limit them."""


def read_http(reader: Reader) -> Http:
    """Return how the service is asked."""
    cert_file, key_file = reader.path("HTTP_CERT_FILE"), reader.path("HTTP_KEY_FILE")
    http = Http(
        host=(host := reader.text("HTTP_HOST", "127.0.0.1", r"\S+", "a host name or address")),
        port=reader.port("HTTP_PORT", 8080),
        keys_path=(keys_path := reader.path("HTTP_KEYS_FILE")),
        keys=None if keys_path is None else _read_keys(reader, keys_path),
        token=_read_token(reader),
        public=(public := _read_public_url(reader)),
        host_names=_read_host_names(reader, host, public),
        proxies=_read_proxies(reader),
        cert_file=cert_file,
        key_file=key_file,
        tls=_read_http_tls(reader, cert_file, key_file),
        ca_file=_read_http_ca_file(reader),
        rate=reader.rate("HTTP_RATE"),
    )
    _check_auth(reader, http)
    return http


def _read_keys(reader: Reader, path: Path) -> Keys:
    try:
        return read_keys(path)
    except KeysError as error:
        hint = "" if path.exists() else "; `jobindex keys add NAME` makes it"
        for problem in error.problems:
            reader.problem("HTTP_KEYS_FILE", f"{problem}{hint}")
        return Keys()  # which lets nobody in


def _check_auth(reader: Reader, http: Http) -> None:
    """Note where others would be let in without a key, unless it is said in so many words that they are."""
    value = reader.value("HTTP_AUTH")
    if value not in {None, "keys", "none"}:
        reader.problem("HTTP_AUTH", f"{value!r} is not one of keys, none")
    elif http.keys_path is not None:
        if value == "none":
            reader.problem("HTTP_AUTH", "is 'none', but JOBINDEX_HTTP_KEYS_FILE is set: with keys it is 'keys'")
    elif value == "keys":
        reader.problem("HTTP_AUTH", "is 'keys', but JOBINDEX_HTTP_KEYS_FILE is not set")
    elif value is None and (way := _way_in(http)):
        reader.problem(
            "HTTP_AUTH",
            f"is not set, and {way} lets others in without asking for a key: set JOBINDEX_HTTP_KEYS_FILE (`jobindex "
            "keys add NAME` makes the file), or JOBINDEX_HTTP_AUTH=none where whoever reaches the port may read all",
        )


def _way_in(http: Http) -> str | None:
    """Return by what setting others than this machine reach the service."""
    if not _is_loopback(http.host):
        return f"JOBINDEX_HTTP_HOST={http.host}"
    if http.public is not None:
        return "a proxy, which JOBINDEX_HTTP_PUBLIC_URL tells of,"
    return "a proxy, which JOBINDEX_HTTP_PROXIES tells of," if http.proxies else None


def _read_token(reader: Reader) -> str | None:
    value = reader.value("HTTP_TOKEN")
    if value is not None and re.fullmatch("[!-~]+", value) is None:
        # It is a secret, or somebody else's.
        reader.problem("HTTP_TOKEN", "is no token: one line of printable ASCII, without spaces")
        return None
    return value


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name may lead anywhere
        return False


def _read_public_url(reader: Reader) -> PublicUrl | None:
    url = reader.value("HTTP_PUBLIC_URL")
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        reader.problem("HTTP_PUBLIC_URL", "is no URL")
        return None
    if parts.username is not None:
        reader.problem("HTTP_PUBLIC_URL", "holds a user")
        return None
    path = parts.path.rstrip("/")
    is_plain = re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path) and not {".", ".."} & set(path.split("/"))
    if parts.scheme not in _HTTP_PORTS or not parts.hostname or parts.query or parts.fragment or not is_plain:
        reader.problem("HTTP_PUBLIC_URL", f"{url!r} is not http[s]://host[:port][/path]")
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = port in {None, _HTTP_PORTS[parts.scheme]}
    return PublicUrl(host=host if is_default else f"{host}:{port}", is_secure=parts.scheme == "https", base_path=path)


def _read_host_names(reader: Reader, host: str, public: PublicUrl | None) -> frozenset[str]:
    names = [name.strip().lower() for name in (reader.value("HTTP_HOSTS") or "").split(",")]
    for name in names:
        if name and re.fullmatch(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?", name) is None:
            reader.problem("HTTP_HOSTS", f"{name!r} is not a host name, without a port")
    known = [*names, host.lower()]
    if public is not None:
        known.append(re.sub(r":[0-9]+$", "", public.host))
    return frozenset(name for name in known if name)


def _read_proxies(reader: Reader) -> tuple[str, ...]:
    value = reader.value("HTTP_PROXIES")
    proxies = tuple(part.strip() for part in value.split(",")) if value else ()
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError:
            reader.problem(
                "HTTP_PROXIES", f"{proxy!r} is not an address, or a network without host bits such as 10.0.0.0/8"
            )
    return proxies


def _read_http_tls(reader: Reader, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext | None:
    if cert_file is None:
        if key_file is not None:
            reader.problem("HTTP_KEY_FILE", "is set without JOBINDEX_HTTP_CERT_FILE")
        return None
    try:
        # All that a client needs, which may have no right to read the key.
        pinned_context(cert_file)
        return server_context(cert_file, key_file) if reader.needs("HTTP_KEY_FILE") else None
    except OSError as error:
        key = "" if key_file is None else f" with key {str(key_file)!r}"
        hint = ""
        if isinstance(error, ssl.SSLError):
            own = "and JOBINDEX_HTTP_KEY_FILE names none" if key_file is None else "or one with a passphrase"
            hint = f"; it has no key that goes with it, {own}"
        reader.problem("HTTP_CERT_FILE", f"{str(cert_file)!r}{key} cannot be used: {error}{hint}")
        return None


def _read_http_ca_file(reader: Reader) -> Path | None:
    ca_file = reader.path("HTTP_CA_FILE")
    if ca_file is None:
        return None
    try:
        verifying_context(ca_file)
    except OSError as error:
        reader.problem("HTTP_CA_FILE", f"{str(ca_file)!r} cannot be used: {error}")
        return None
    return ca_file
