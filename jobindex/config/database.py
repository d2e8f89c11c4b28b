"""The settings of the database: its URL and its limits."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from jobindex.config.parsers import matching
from jobindex.config.reader import Setting, SettingsReader
from jobindex.durations import parse_duration
from jobindex.errors import SettingsError
from jobindex.model.store import RejectedLimits
from jobindex.storage.databases import Database, PostgresDatabase, SqliteDatabase

_FILE = "sqlite:///"
_SERVERS = ("postgresql://", "postgres://")
_DAY_SECONDS = 24 * 3600
_NUMBER = r"[0-9]{1,15}"
_LIMITS = RejectedLimits()


def _database(url: str, password: str | None = None) -> Database:
    """Return the database of a URL.

    Raises:
        ValueError: the URL is wrong; the message contains no password.
    """
    if url.startswith(_SERVERS):
        return _server(url, password)
    path = url.removeprefix(_FILE)
    if path == url or not path or path == ":memory:":
        # Any other text may be a misspelt URL with a password.
        shown = f"{url!r}" if "@" not in url else "it"
        raise ValueError(f"{shown} is neither sqlite:///PATH, with a file as PATH, nor postgresql://HOST/DATABASE")
    return SqliteDatabase(path=Path(unquote(path)))


def _server(url: str, password: str | None) -> PostgresDatabase:
    if importlib.util.find_spec("psycopg") is None:
        raise ValueError("is postgresql://, which needs: pip install 'psycopg[binary]>=3.2'")
    from psycopg import Error  # noqa: PLC0415 (an extra)
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except Error as error:
        # libpq quotes text that it cannot parse, which may be a part of a password.
        said = re.sub(r'".*"', "…", str(error)).strip()
        raise ValueError(f"is not a PostgreSQL URL: {said}") from None
    if password is not None:
        parts["password"] = password
    hosts = (parts.get("host") or parts.get("hostaddr") or "localhost").split(",")
    if len(hosts) > 1:
        parts.setdefault("target_session_attrs", "read-write")
    if not parts.get("dbname"):
        raise ValueError("names no database: postgresql://HOST/DATABASE")
    return PostgresDatabase(conninfo=make_conninfo(**parts), shown=_shown(hosts, parts))


def _shown(hosts: list[str], parts: dict[str, str]) -> str:
    ports = parts.get("port", "").split(",")
    ports += ports[-1:] * (len(hosts) - len(ports))
    servers = (f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
    return f"postgresql://{','.join(servers)}/{parts.get('dbname', '')}"


def _lease(text: str) -> timedelta:
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= _DAY_SECONDS:
        raise ValueError(f"{text!r} is not a duration from 1s to 1d, such as 10s or 2m")
    return timedelta(seconds=seconds)


_URL = Setting(
    "DATABASE_URL",
    _database,
    default=f"{_FILE}jobindex.db",
    help="The database. `sqlite:////var/lib/…` is an absolute path; or `postgresql://…`.",
    is_secret=True,
    hide=lambda url: str(_database(url)) if url.startswith(_SERVERS) else url,
)
_PASSWORD = Setting("DATABASE_PASSWORD", str, help="The password of the user in `postgresql://…`.", is_secret=True)
LEASE = Setting(
    "DATABASE_LEASE",
    _lease,
    default="10s",
    help="The silence of the ingesting replica after which another one takes over.",
)
REJECTED_MAX_MESSAGES = Setting(
    "REJECTED_MAX_MESSAGES",
    matching(_NUMBER, "a whole number", int),
    default=str(_LIMITS.max_messages),
    help="The number of rejected messages to keep. The oldest are deleted first.",
)
REJECTED_MAX_BYTES = Setting(
    "REJECTED_MAX_BYTES",
    matching(_NUMBER, "a whole number", int),
    default=str(_LIMITS.max_bytes),
    help="The bytes of rejected messages to keep.",
)
RETENTION_DAYS = Setting(
    "RETENTION_DAYS",
    matching(r"(?=.*[1-9])[0-9]{1,5}", "a number of days from 1 to 99999", lambda n: timedelta(days=int(n))),
    unset="off",
    help="The days after which ended jobs, and the records of deleted jobs, are removed.",
)
SETTINGS = [setting for setting in list(vars().values()) if isinstance(setting, Setting)]


def read_database(reader: SettingsReader) -> Database:
    """Return the database of the index."""
    password = reader.get(_PASSWORD)
    if password is None:
        return reader[_URL]
    if not (url := reader.text(_URL) or "").startswith(_SERVERS):
        reader.problem(_PASSWORD, "is set, but JOBINDEX_DATABASE_URL is not postgresql://")
    return reader[_URL] if reader.is_wrong(_URL) else _database(url, password)


def read_databases(environment: Mapping[str, str], urls: Mapping[str, str]) -> Sequence[Database]:
    """Return the databases of the URLs that options name; JOBINDEX_DATABASE_PASSWORD is the servers' password.

    Raises:
        SettingsError: one or more URLs are wrong; a line for each names the option.
    """
    reader = SettingsReader((_PASSWORD,), environment, {_PASSWORD.name})
    databases: list[Database] = []
    problems = reader.problems
    for option, url in urls.items():
        try:
            databases.append(_database(url, reader.get(_PASSWORD)))
        except ValueError as error:
            problems.append(f"{option}: {error}")
    if problems:
        raise SettingsError(problems)
    return databases
