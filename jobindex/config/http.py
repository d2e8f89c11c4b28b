"""The settings of HTTP: the address, keys, host names and certificates."""

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from jobindex.access.keys import Keys
from jobindex.access.keys_file import read_keys
from jobindex.access.signatures import PublicUrl
from jobindex.config.parsers import choice, comma_separated, matching
from jobindex.config.reader import Setting, SettingsReader
from jobindex.config.tls import pinned_context, server_context, verifying_context
from jobindex.errors import KeysError

_HTTP_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The values of the HTTP settings."""

    host: str
    port: int
    keys_path: Path | None
    keys: Keys | None
    """None, without a file, admits every client."""
    token: str | None = field(repr=False)
    host_names: frozenset[str]
    public: PublicUrl | None
    proxies: tuple[str, ...]
    cert_file: Path | None
    key_file: Path | None
    tls: ssl.SSLContext | None
    ca_file: Path | None
    rate: float | None


def _port(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,5}", text) is None or int(text) > 65535:
        raise ValueError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _token(text: str) -> str:
    if re.fullmatch("[!-~]+", text) is None:
        # The text may be another secret.
        raise ValueError("is not a token: it must be one line of printable ASCII, without spaces")
    return text


def _host_name_problem(name: str) -> str | None:
    if name and re.fullmatch(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?", name.lower()) is None:
        return f"{name.lower()!r} is not a host name without a port"
    return None


def _public_url(url: str) -> PublicUrl:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.username is not None:
        raise ValueError("contains a user")
    path = parts.path.rstrip("/")
    is_plain = re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path) and not {".", ".."} & set(path.split("/"))
    if parts.scheme not in _HTTP_PORTS or not parts.hostname or parts.query or parts.fragment or not is_plain:
        raise ValueError(f"{url!r} is not http[s]://host[:port][/path]")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = port in {None, _HTTP_PORTS[parts.scheme]}
    return PublicUrl(host=host if is_default else f"{host}:{port}", is_secure=parts.scheme == "https", base_path=path)


def _proxy_problem(proxy: str) -> str | None:
    try:
        ip_network(proxy)
    except ValueError:
        return f"{proxy!r} is not an address or a network without host bits, such as 10.0.0.0/8"
    return None


def _authorities(path: str) -> Path:
    try:
        verifying_context(Path(path))
    except OSError as error:
        raise ValueError(f"{path!r} cannot be used: {error}") from error
    return Path(path)


_HOST = Setting(
    "HTTP_HOST",
    matching(r"\S+", "a host name or address", str),
    default="127.0.0.1",
    help="The address or host name to listen on.",
)
_PORT = Setting("HTTP_PORT", _port, default="8080", help="The port to listen on.")
_KEYS_FILE = Setting(
    "HTTP_KEYS_FILE", Path, help="The file of the clients' keys. SIGHUP makes the service read it again."
)
_TOKEN = Setting("HTTP_TOKEN", _token, help="The token that `list`, `show` and other commands send.", is_secret=True)
_HOSTS = Setting(
    "HTTP_HOSTS",
    comma_separated(_host_name_problem),
    help="The service's names, separated by commas, in addition to addresses and `localhost`.",
)
_PUBLIC_URL = Setting(
    "HTTP_PUBLIC_URL", _public_url, help="The URL of the service behind a proxy, such as `https://jobs.example/iot`."
)
_PROXIES = Setting(
    "HTTP_PROXIES",
    comma_separated(_proxy_problem),
    help="The addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are trusted.",
)
_CERT_FILE = Setting("HTTP_CERT_FILE", Path, help="The certificate, with its intermediate ones. It enables HTTPS.")
_KEY_FILE = Setting("HTTP_KEY_FILE", Path, help="The certificate's key, if it is in another file.")
_CA_FILE = Setting(
    "HTTP_CA_FILE", _authorities, unset="the system's", help="The authorities to trust with `--endpoint https://…`."
)
_RATE = Setting(
    "HTTP_RATE",
    matching(r"(?=.*[1-9])[0-9]{1,6}(\.[0-9]{1,3})?", "a number from 0.001 to 999999, such as 50 or 0.5", float),
    unset="off",
    help="Requests per second for each key or address, such as `0.5`. "
    "A burst may have ten, or two seconds' worth if that is more.",
)
_AUTH = Setting(
    "HTTP_AUTH",
    choice(("keys", "none")),
    help="`none` admits every client that reaches the port; `keys` requires `JOBINDEX_HTTP_KEYS_FILE`.",
)
SETTINGS = [setting for setting in list(vars().values()) if isinstance(setting, Setting)]


def read_http(reader: SettingsReader) -> Http:
    """Return the settings of HTTP."""
    keys_path, public = reader.get(_KEYS_FILE), reader.get(_PUBLIC_URL)
    cert_file, key_file = reader.get(_CERT_FILE), reader.get(_KEY_FILE)
    names = [*(reader.get(_HOSTS) or ()), reader[_HOST], re.sub(r":[0-9]+$", "", public.host) if public else ""]
    http = Http(
        host=reader[_HOST],
        port=reader[_PORT],
        keys_path=keys_path,
        keys=None if keys_path is None else _read_keys(reader, keys_path),
        token=reader.get(_TOKEN),
        public=public,
        host_names=frozenset(name.lower() for name in names if name),
        proxies=reader.get(_PROXIES) or (),
        cert_file=cert_file,
        key_file=key_file,
        tls=_read_tls(reader, cert_file, key_file),
        ca_file=reader.get(_CA_FILE),
        rate=reader.get(_RATE),
    )
    if not reader.is_wrong(_AUTH):
        _check_auth(reader, http)
    return http


def _read_keys(reader: SettingsReader, path: Path) -> Keys:
    try:
        return read_keys(path)
    except KeysError as error:
        hint = "" if path.exists() else "; `jobindex keys add NAME` creates it"
        reader.problem(_KEYS_FILE, *(f"{problem}{hint}" for problem in error.problems))
        return Keys()  # which admits no client


def _check_auth(reader: SettingsReader, http: Http) -> None:
    """Note a problem if remote clients have access without a key, unless JOBINDEX_HTTP_AUTH allows it."""
    auth = reader.get(_AUTH)
    if http.keys_path is not None:
        if auth == "none":
            reader.problem(_AUTH, "is 'none', but JOBINDEX_HTTP_KEYS_FILE is set: with keys it must be 'keys'")
    elif auth == "keys":
        reader.problem(_AUTH, "is 'keys', but JOBINDEX_HTTP_KEYS_FILE is not set")
    elif auth is None and (way := _way_in(reader, http)):
        reader.problem(
            _AUTH,
            f"is not set, and {way} admits remote clients without a key: set JOBINDEX_HTTP_KEYS_FILE (`jobindex keys "
            "add NAME` creates the file), or JOBINDEX_HTTP_AUTH=none if every client that reaches the port may read "
            "everything",
        )


def _way_in(reader: SettingsReader, http: Http) -> str | None:
    if not _is_loopback(http.host):
        return f"JOBINDEX_HTTP_HOST={http.host}"
    if http.public is not None:
        return "the proxy in JOBINDEX_HTTP_PUBLIC_URL"
    return "the proxy in JOBINDEX_HTTP_PROXIES" if reader.text(_PROXIES) else None


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name may have any address
        return False


def _read_tls(reader: SettingsReader, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext | None:
    if cert_file is None:
        if key_file is not None:
            reader.problem(_KEY_FILE, "is set without JOBINDEX_HTTP_CERT_FILE")
        return None
    try:
        # A client needs only this, and may not have permission to read the key.
        pinned_context(cert_file)
        return server_context(cert_file, key_file) if reader.needs(_KEY_FILE) else None
    except OSError as error:
        key = "" if key_file is None else f" with key {str(key_file)!r}"
        hint = ""
        if isinstance(error, ssl.SSLError):
            own = "and JOBINDEX_HTTP_KEY_FILE is not set" if key_file is None else "or a key with a passphrase"
            hint = f"; it has no matching key, {own}"
        reader.problem(_CERT_FILE, f"{str(cert_file)!r}{key} cannot be used: {error}{hint}")
        return None
