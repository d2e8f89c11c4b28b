"""The settings of where the index is kept."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from jobindex.config.reader import Reader
from jobindex.databases import Database, PostgresDatabase, SqliteDatabase
from jobindex.errors import SettingsError

_FILE = "sqlite:///"
_SERVERS = ("postgresql://", "postgres://")
_UNKNOWN = SqliteDatabase(path=Path("unknown"))


def read_database(reader: Reader) -> Database:
    """Return where the index is kept."""
    url = reader.value("DATABASE_URL") or f"{_FILE}jobindex.db"
    password = reader.value("DATABASE_PASSWORD")
    if password is not None and not url.startswith(_SERVERS):
        reader.problem("DATABASE_PASSWORD", "is set, but JOBINDEX_DATABASE_URL is not postgresql://")
    try:
        return _database(url, password)
    except ValueError as error:
        reader.problem("DATABASE_URL", str(error))
        return _UNKNOWN


def read_databases(environment: Mapping[str, str], urls: Mapping[str, str]) -> Sequence[Database]:
    """Return where the URLs lead that options were given; JOBINDEX_DATABASE_PASSWORD is for those on servers.

    Raises:
        SettingsError: one or more are wrong; a line for each names the option.
    """
    reader = Reader(environment, {"DATABASE_PASSWORD"})
    password = reader.value("DATABASE_PASSWORD")
    databases: list[Database] = []
    problems = reader.problems
    for option, url in urls.items():
        try:
            databases.append(_database(url, password))
        except ValueError as error:
            problems.append(f"{option}: {error}")
    if problems:
        raise SettingsError(problems)
    return databases


def _database(url: str, password: str | None) -> Database:
    """Return where a URL leads.

    Raises:
        ValueError: it leads nowhere; the message holds no password.
    """
    if url.startswith(_SERVERS):
        return _server(url, password)
    path = url.removeprefix(_FILE)
    if path == url or not path or path == ":memory:":
        # What is neither may be a misspelt address with a password in it.
        shown = f"{url!r}" if "@" not in url else "it"
        raise ValueError(f"{shown} is neither sqlite:///PATH, with a file as PATH, nor postgresql://HOST/DATABASE")
    return SqliteDatabase(path=Path(unquote(path)))


def _server(url: str, password: str | None) -> PostgresDatabase:
    if importlib.util.find_spec("psycopg") is None:
        raise ValueError("is postgresql://, which needs: pip install 'jobindex[postgres]'")
    from psycopg import Error  # noqa: PLC0415 (an extra)
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except Error as error:
        # libpq quotes what it does not understand, which may be a part of a password.
        said = re.sub(r'".*"', "…", str(error)).strip()
        raise ValueError(f"is no URL that PostgreSQL takes: {said}") from None
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
