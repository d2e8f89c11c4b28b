"""Copying an index from one database into another, whatever engines they stand on.

The source is read in one snapshot, first to know what it says, by a digest of each table, then to write it: a page of
rows of a table in the order of its key, in one short transaction that also notes how far the copy has come. Called
again after it was interrupted, it goes on there, where the source is still what it was: rows of two moments do not
make an index. In the end what was written is read again and held against the digests. Until then no service opens
what the copy is made in: it would answer from a part of an index.

Not chosen: to apply what the registers say as messages, which are not kept; a digest by the database, which each
engine would make of its own way to write a value; a mark of when a file was written, which a copy of the file or a
restart of a service changes, and what it says does not.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import orjson

from jobindex.errors import DatabaseRefusedError
from jobindex.storage.databases import Database, SqliteDatabase
from jobindex.storage.findings import SHOWN, Finding
from jobindex.storage.sql.copying import Copied
from jobindex.storage.sql.tables import TABLES, Table, Values

Advance = Callable[[int, int | None], None]
"""Takes how many rows are done, and of how many."""


class Rows(Protocol):
    """An index of which rows are read; its methods raise DatabaseUnavailableError if it cannot be read just now."""

    def page(self, table: Table, after: Values) -> Sequence[Values]:
        """Return the rows behind a key, or the first for (): as many as a page of the table has; the last page less."""


class Source(Rows, Protocol):
    """An index that a copy is made of, at one moment."""

    def is_in_use(self) -> bool:
        """Tell whether a service ingests into it now."""

    def count(self, table: Table) -> int:
        """Return how many rows a table has."""


class Target(Rows, Protocol):
    """An index that a copy is made in; its methods also raise DatabaseRefusedError."""

    @property
    def copied(self) -> Copied:
        """How far the copy has come."""

    def hold(self) -> None:
        """Keep others from it for the next seconds; to be called at least every second where nothing is written."""

    def write(self, copied: Copied, rows: Sequence[Values] = (), table: Table | None = None) -> None:
        """Write rows, and how far the copy has come with them, in one durable transaction."""

    def end(self, *, is_complete: bool) -> None:
        """Make an index of it that a service opens; unless it `is_complete`, it says that it may lack something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    rows: int
    digest: bytes


@contextmanager
def open_copy(source: Database, target: Database, *, is_anew: bool) -> Iterator["Copy"]:
    """Open two databases to copy the index of one into the other.

    An engine is imported only where it is used.

    Raises:
        DatabaseRefusedError: the source is no whole index of this version, the target holds an index already, or is
            in use.
        DatabaseUnavailableError: one of them cannot be read or written just now.
    """
    with ExitStack() as stack:
        opened: Source
        if isinstance(source, SqliteDatabase):
            from jobindex.storage.sqlite.source import open_source as open_sqlite_source  # noqa: PLC0415

            opened = stack.enter_context(open_sqlite_source(source.path))
        else:
            from jobindex.storage.postgres.source import open_source as open_postgres_source  # noqa: PLC0415

            opened = stack.enter_context(open_postgres_source(source))
        made: Target
        if isinstance(target, SqliteDatabase):
            from jobindex.storage.sqlite.target import open_target as open_sqlite_target  # noqa: PLC0415

            made = stack.enter_context(open_sqlite_target(target.path, is_anew=is_anew))
        else:
            from jobindex.storage.postgres.target import open_target as open_postgres_target  # noqa: PLC0415

            made = stack.enter_context(open_postgres_target(target, is_anew=is_anew))
        yield Copy(opened, made, source_name=str(source), target_name=str(target))


class Copy:
    """A copy in the making: what it is made of is to be read, written, compared, and the copy ended, in this order.

    Each raises what the methods of Source and Target do.
    """

    def __init__(self, source: Source, target: Target, *, source_name: str, target_name: str) -> None:
        self._source = source
        self._target = target
        self._source_name = source_name
        self._target_name = target_name
        self._contents: dict[str, _Content] = {}
        self._is_in_use = source.is_in_use()

    @property
    def rows(self) -> int:
        """How many rows the source has."""
        return sum(content.rows for content in self._contents.values())

    @property
    def rows_copied(self) -> int:
        """How many of them are there."""
        return self._target.copied.row_count

    def survey(self, advance: Advance) -> None:
        """Read what the source says.

        Raises:
            DatabaseRefusedError: an unfinished copy is of another source, or of what this one said before.
        """
        total = sum(self._source.count(table) for table in TABLES)
        counted = _Progress(advance, total, hold=self._target.hold)
        self._contents = {table.name: _content(self._source, table, counted) for table in TABLES}
        source = hashlib.sha256(b"".join(content.digest for content in self._contents.values())).hexdigest()
        copied = self._target.copied
        if not copied.source:
            self._target.write(replace(copied, source=source))
        elif copied.source != source:
            raise DatabaseRefusedError(
                f"{self._target_name}: the copy that was begun here is not one of {self._source_name}, or not as it is "
                "now: --anew removes what is there of it, and begins another"
            )

    def write(self, advance: Advance) -> None:
        """Write what is not there yet."""
        copied = self._target.copied
        advance(copied.row_count, self.rows)
        names = [table.name for table in TABLES]
        for table in TABLES[names.index(copied.table_name) if copied.table_name else 0 :]:
            after = copied.last_key if table.name == copied.table_name else ()
            for rows in _pages(self._source, table, after):
                copied = replace(
                    copied,
                    table_name=table.name,
                    last_key=table.key_of(rows[-1]),
                    row_count=copied.row_count + len(rows),
                )
                self._target.write(copied, rows, table)
                advance(copied.row_count, self.rows)

    def compare(self, advance: Advance) -> Iterator[Finding]:
        """Read what was written, and hold it against what the source said; yield what is found of each table."""
        counted = _Progress(advance, self.rows, hold=self._target.hold)
        for table in TABLES:
            content = self._contents[table.name]
            if _content(self._target, table, counted) == content:
                yield Finding(name=table.name, detail=f"{content.rows} rows, as in {self._source_name}")
            else:
                yield Finding(name=table.name, problem=self._difference(table))

    def end(self) -> bool:
        """End a copy that is whole; tell whether a service ingested into the source meanwhile.

        What that was told since is not in the copy, which then is complete only since its next connection.
        """
        is_in_use = self._is_in_use or self._source.is_in_use()
        self._target.end(is_complete=not is_in_use)
        return is_in_use

    def _difference(self, table: Table) -> str:
        count, first = 0, []
        for key in _differing(table, self._source, self._target):
            self._target.hold()
            count += 1
            if count <= SHOWN:
                first.append("/".join(map(str, key)))
        more = f"; and {count - SHOWN} more" if count > SHOWN else ""
        return f"{count} rows are not as in {self._source_name}: {'; '.join(first)}{more}"


class _Progress:
    """Counts rows that are read, and keeps others from the target meanwhile."""

    def __init__(self, advance: Advance, total: int, *, hold: Callable[[], None]) -> None:
        self._advance = advance
        self._total = total
        self._hold = hold
        self._rows = 0

    def add(self, rows: int) -> None:
        self._hold()
        self._rows += rows
        self._advance(self._rows, self._total)


def _content(read: Rows, table: Table, progress: _Progress) -> _Content:
    digest, count = hashlib.sha256(table.name.encode()), 0
    for rows in _pages(read, table):
        # Without the brackets, so that the cut into pages plays no part.
        digest.update(orjson.dumps(rows, default=bytes.hex)[1:-1] + b",")
        count += len(rows)
        progress.add(len(rows))
    return _Content(rows=count, digest=digest.digest())


def _pages(read: Rows, table: Table, after: Values = ()) -> Iterator[Sequence[Values]]:
    while rows := read.page(table, after):
        yield rows
        after = table.key_of(rows[-1])


def _differing(table: Table, one: Rows, other: Rows) -> Iterator[Values]:
    """Yield in their order the keys of rows that only one of two has, or that are not the same."""
    keyed = (((table.key_of(row), row) for rows in _pages(read, table) for row in rows) for read in (one, other))
    merged: Iterator[tuple[Any, Values]] = merge(*keyed, key=itemgetter(0))
    for key, found in groupby(merged, key=itemgetter(0)):
        first, *others = (row for _, row in found)
        if others != [first]:
            yield key
