"""Where an index is kept, apart from what opens it: commands that only read the settings start at once."""

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
    """A database of PostgreSQL, or of what speaks its protocol, which several processes may share."""

    conninfo: str = field(repr=False)
    """As libpq takes it; it may hold a password."""
    shown: str
    """The same without a user or a password."""

    def __str__(self) -> str:
        return self.shown


Database = SqliteDatabase | PostgresDatabase
