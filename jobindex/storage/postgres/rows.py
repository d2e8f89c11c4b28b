"""Row access for PostgreSQL: each column is an array parameter, and `unnest` makes rows of them.

An array becomes text at once: psycopg's conversion, element by element, cost more than all other work.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import orjson
from psycopg import Connection

from jobindex.storage.sql.tables import TEXTS, Table, Values


class PostgresRows:
    """A RowAccess on a connection."""

    sets_all_columns = True

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def select(
        self, table: Table, by: Sequence[str], keys: Collection[Values], *, where: str = "true"
    ) -> Iterable[Values]:
        """Return rows by their columns."""
        if not keys:
            return ()
        found = " AND ".join(f"{table.name}.{column} = given.{column}" for column in by)
        columns = ", ".join(f"{table.name}.{column}" for column in table.columns)
        statement = f"""
            SELECT {columns}
            FROM {_unnest(by)} AS given ({", ".join(by)})
            JOIN {table.name} ON {found}
            WHERE {where}
            """
        return map(tuple, self._run(statement, by, keys))

    def insert(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Insert rows."""
        self._run(f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM {_unnest(columns)}", columns, rows)

    def update(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Set some columns of rows."""
        given = [*table.key, *columns]
        found = " AND ".join(f"{table.name}.{column} = key_{column}" for column in table.key)
        names = [f"key_{column}" for column in table.key] + [f"new_{column}" for column in columns]
        statement = f"""
            UPDATE {table.name}
            SET {", ".join(f"{column} = new_{column}" for column in columns)}
            FROM {_unnest(given)} AS given ({", ".join(names)})
            WHERE {found}
            """
        self._run(statement, given, rows)

    def delete(self, table: Table, keys: Collection[Values]) -> None:
        """Delete rows by their keys."""
        found = " AND ".join(f"{table.name}.{column} = given.{column}" for column in table.key)
        statement = f"""
            DELETE FROM {table.name}
            USING {_unnest(table.key)} AS given ({", ".join(table.key)})
            WHERE {found}
            """
        self._run(statement, table.key, keys)

    def _run(self, statement: str, columns: Sequence[str], rows: Collection[Values]) -> Iterable[Any]:
        if not rows:
            return ()
        arrays = [
            _text_array(values) if column in TEXTS else _integer_array(values)
            for column, values in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        return self._connection.execute(statement.encode(), arrays)


def _unnest(columns: Sequence[str]) -> str:
    return f"unnest({', '.join('%s::text[]' if column in TEXTS else '%s::bigint[]' for column in columns)})"


def _integer_array(values: Sequence[Any]) -> str:
    return "{" + orjson.dumps(values)[1:-1].decode() + "}"


def _text_array(values: Sequence[str | None]) -> str:
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
