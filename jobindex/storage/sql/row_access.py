"""How rows are read and written many at a time; each engine says it in its own words.

The rows of a statement are one parameter, not a statement each: while a thousand rows are written the interpreter is
left to others, where a thousand statements would wait for it a thousand times. SQLite's statements set no indexed
column that has not changed, as it writes the index entries of every column that it sets. PostgreSQL's set all columns:
it compares them itself, and a statement that is always the same is planned once.
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
        """Return the rows, all columns, whose columns `by` have the values of one of the keys."""

    def insert(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Insert rows that are not there yet, with some columns; the others have their defaults."""

    def update(self, table: Table, columns: Sequence[str], rows: Collection[Values]) -> None:
        """Set some columns; each row is its key, and the new values of these columns."""

    def delete(self, table: Table, keys: Collection[Values]) -> None:
        """Delete rows by their whole keys."""


FEW_ROWS = 10
"""Fewer rows with the same columns share a statement with others."""

Rows = Callable[[Connection], RowAccess]
"""Returns the RowAccess of an engine on a connection."""


class Writes:
    """The rows of a table before and after a batch, of which only the difference is written."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._key = len(table.key)
        self._inserted: dict[bytes, list[Values]] = defaultdict(list)
        """Rows by their columns that are not the default, a byte for each column."""
        self._updated: dict[bytes, list[Values]] = defaultdict(list)
        """The same by the columns that have changed."""
        self._deleted: list[Values] = []

    def add(self, former: Values | None, row: Values | None) -> None:
        """Note a row as it was and as it is, with one key; None for none."""
        if former is None:
            if row is not None:
                self._inserted[bytes(map(ne, self._table.defaults, row))].append(row)
        elif row is None:
            self._deleted.append(former[: self._key])
        elif former != row:
            self._updated[bytes(map(ne, former, row))].append(row)

    def add_all(self, former: Mapping[Values, Values], rows: Mapping[Values, Values]) -> None:
        """Note rows by their keys: each value is the columns behind the key."""
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
    """Return groups of rows by their columns, as few as the engine likes best.

    Groups of a few rows are joined with the columns of all, as a statement costs as much as some rows do, and a column
    more of a row little; the `kept` columns stay as they are given.
    """
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
