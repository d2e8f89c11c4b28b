"""Locations of an index; no engine is imported here, so that commands start fast."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteDatabase:
    """A SQLite file, which one process writes."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """A PostgreSQL database, or one that speaks its protocol; several processes may share it."""

    conninfo: str = field(repr=False)
    """In libpq's form; may contain a password."""
    shown: str
    """The same without user and password."""

    def __str__(self) -> str:
        return self.shown


Database = SqliteDatabase | PostgresDatabase
