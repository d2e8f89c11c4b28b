"""Reads and writes many rows at a time, with the statements of each engine.

The rows of a statement are one parameter: with a statement for each, a thousand rows would wait for the interpreter
lock a thousand times. SQLite's statements set no unchanged indexed column, because SQLite rewrites the index entries of
every column that is set. PostgreSQL's set all columns: it compares them itself, and plans a constant statement once.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import compress
from operator import and_, ne, or_
from typing import Protocol

from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.tables import Table, Values


class RowAccess(Protocol):
    """Reads and writes rows in an open transaction."""

    sets_all_columns: bool
    """Whether a statement sets all columns of a row, not only those that differ."""

    def select(
        self, table: Table, by: Sequence[str], keys: Collection[Values], *, where: str = "true"
    ) -> Iterable[Values]:
        """Return the rows whose columns `by` match one of the keys."""

    def insert(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Insert rows with some columns; the others get defaults."""

    def update(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Set some columns; each row is its key and new values."""

    def delete(self, table: Table, keys: Collection[Values]) -> None:
        """Delete rows by their full keys."""


FEW_ROWS = 10
"""A group of fewer rows shares a statement with other groups."""

Rows = Callable[[Connection], RowAccess]
"""Returns the RowAccess of an engine on a connection."""


class Writes:
    """The rows of a table before and after a batch."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._key = len(table.key)
        self._inserted: dict[bytes, list[Values]] = defaultdict(list)
        """By their non-default columns, a byte for each column."""
        self._updated: dict[bytes, list[Values]] = defaultdict(list)
        """By their changed columns."""
        self._deleted: list[Values] = []

    def add(self, former: Values | None, row: Values | None) -> None:
        """Add a row as it was and as it is, or None; both have the same key."""
        if former is None:
            if row is not None:
                self._inserted[bytes(map(ne, self._table.defaults, row))].append(row)
        elif row is None:
            self._deleted.append(former[: self._key])
        elif former != row:
            self._updated[bytes(map(ne, former, row))].append(row)

    def add_all(self, former: Mapping[Values, Values], rows: Mapping[Values, Values]) -> None:
        """Add rows by their keys; a value is the columns after the key."""
        for key in former.keys() | rows.keys():
            old, new = former.get(key), rows.get(key)
            self.add(None if old is None else key + old, None if new is None else key + new)

    def write(self, access: RowAccess) -> None:
        """Write the difference."""
        table, columns = self._table, self._table.columns
        if self._deleted:
            access.delete(table, self._deleted)
        every = bytes([1]) * len(columns)
        for given, rows in _gathered(self._inserted, access, every, bytes(len(columns))):
            access.insert(table, [*compress(columns, given)], [tuple(compress(row, given)) for row in rows])
        for changed, rows in _gathered(self._updated, access, table.is_other, table.is_indexed):
            values = [(*row[: self._key], *compress(row, changed)) for row in rows]
            access.update(table, [*compress(columns, changed)], values)


def _gathered(
    groups: Mapping[bytes, list[Values]], access: RowAccess, every: bytes, kept: bytes
) -> Iterable[tuple[bytes, list[Values]]]:
    """Join small groups with the same `kept` columns: a statement costs as much as several rows, a column little."""
    if access.sets_all_columns:
        return [(every, [row for rows in groups.values() for row in rows])] if groups else []
    gathered: list[tuple[bytes, list[Values]]] = []
    joined: dict[bytes, tuple[bytes, list[Values]]] = {}
    for columns, rows in groups.items():
        if len(rows) >= FEW_ROWS:
            gathered.append((columns, rows))
        else:
            place = bytes(map(and_, columns, kept))
            known, others = joined.get(place, (columns, []))
            joined[place] = bytes(map(or_, known, columns)), others + rows
    return [*gathered, *joined.values()]
