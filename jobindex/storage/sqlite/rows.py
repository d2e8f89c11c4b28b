"""Row access for SQLite: each statement has one parameter, a JSON array."""

import re
import sqlite3
from collections.abc import Collection, Iterable, Sequence

import orjson

from jobindex.storage.sql.tables import Table, Values

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # but not an escaped backslash before "u0000"


class SqliteRows:
    """A RowAccess on a connection."""

    sets_all_columns = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def select(
        self, table: Table, by: Sequence[str], keys: Collection[Values], *, where: str = "true"
    ) -> Iterable[Values]:
        """Return rows by their columns."""
        if not keys:
            return ()
        found = " AND ".join(f"{table.name}.{column} = {_value(place)}" for place, column in enumerate(by))
        columns = ", ".join(f"{table.name}.{column}" for column in table.columns)
        statement = f"""
            SELECT {columns}
            FROM json_each(:keys) AS given
            CROSS JOIN {table.name} ON {found}
            WHERE {where}
            """
        cursor = self._connection.cursor()
        cursor.row_factory = None  # plain tuples
        return cursor.execute(statement, {"keys": _json(keys)})

    def insert(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Insert rows."""
        values = ", ".join(_value(place) for place in range(len(columns)))
        self._connection.execute(
            f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {values} FROM json_each(:rows) AS given",
            {"rows": _json(rows)},
        )

    def update(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Set some columns of rows."""
        names = [f"key_{place}" for place in range(len(table.key))] + [f"new_{column}" for column in columns]
        values = ", ".join(f"{_value(place)} AS {name}" for place, name in enumerate(names))
        found = " AND ".join(f"{table.name}.{column} = key_{place}" for place, column in enumerate(table.key))
        # With a LIMIT each value is extracted once, not at each use.
        statement = f"""
            UPDATE {table.name}
            SET {", ".join(f"{column} = new_{column}" for column in columns)}
            FROM (SELECT {values} FROM json_each(:rows) AS given LIMIT -1) AS changed
            WHERE {found}
            """
        self._connection.execute(statement, {"rows": _json(rows)})

    def delete(self, table: Table, keys: Collection[Values]) -> None:
        """Delete rows by their keys."""
        # SQLite looks up a list of row values by the first column only, and rows to delete are few.
        found = " AND ".join(f"{column} = ?" for column in table.key)
        self._connection.executemany(f"DELETE FROM {table.name} WHERE {found}", keys)


def _value(place: int) -> str:
    return f"json_extract(given.value, '$[{place}]')"


def _json(rows: Collection[Values]) -> str:
    text = orjson.dumps([*rows]).decode()
    if "\\u0000" in text and _NUL.search(text):
        raise ValueError("a text contains NUL, and SQLite would cut it there")
    return text
