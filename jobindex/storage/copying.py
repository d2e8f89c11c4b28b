"""Copies an index from one database to another, with the same or another engine.

The source is read in one snapshot: first for a digest of each table, then in pages by key. Each page is written in one
short transaction with the progress, so an interrupted copy resumes if the source is unchanged: rows of two moments are
not an index. At the end the copy is compared with the digests; until then no service opens the target.

If the target refuses a row, the copy stops or skips it. With a job it skips all rows of the job's id: otherwise the
next message would create the job twice.

Not chosen: replaying messages, which are not stored; digests by the databases, because each engine writes values its
own way; a file's modification time, which changes without the content.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import orjson

from jobindex.errors import DatabaseRefusedError, DataRefusedError
from jobindex.storage.databases import Database, SqliteDatabase
from jobindex.storage.findings import SHOWN, Finding
from jobindex.storage.sql.copying import Copied, RefusedRow
from jobindex.storage.sql.tables import JOBS, TABLES, Table, Values

Advance = Callable[[int, int | None], None]
"""Takes the number of rows done and the total."""


class Rows(Protocol):
    """Reads rows of an index; raises DatabaseUnavailableError if it cannot be read now."""

    def page(self, table: Table, after: Values) -> Sequence[Values]:
        """Return the page after a key, the first for (); only the last may be short."""


class Source(Rows, Protocol):
    """The index to copy, in one snapshot."""

    def is_in_use(self) -> bool:
        """Return whether a service is ingesting into it."""

    def count(self, table: Table) -> int:
        """Return the number of rows of a table."""


class Target(Rows, Protocol):
    """The index to create; also raises DatabaseRefusedError."""

    @property
    def copied(self) -> Copied:
        """The progress of the copy."""

    def hold(self) -> None:
        """Keep other processes away for some seconds; call it at least every second between writes."""

    def refused(self) -> Sequence[RefusedRow]:
        """Return the skipped rows, in any order."""

    def write(
        self,
        copied: Copied,
        rows: Sequence[Values] = (),
        table: Table | None = None,
        *,
        refused: RefusedRow | None = None,
    ) -> None:
        """Write rows, the progress and a skipped row in one durable transaction.

        Raises:
            DataRefusedError: the database refuses a row; nothing is written.
        """

    def end(self, *, is_complete: bool) -> None:
        """Release it for services, marked as possibly incomplete unless it `is_complete`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    rows: int
    digest: bytes


@contextmanager
def open_copy(source: Database, target: Database, *, is_anew: bool) -> Iterator["Copy"]:
    """Open two databases for a copy.

    Raises:
        DatabaseRefusedError: the source is not a whole index of this version; the target holds an index or is in use.
        DatabaseUnavailableError: one cannot be read or written now.
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
    """A copy in progress: call `survey`, `write`, `compare` and `end`, in this order.

    Each raises the errors of Source and Target.
    """

    def __init__(self, source: Source, target: Target, *, source_name: str, target_name: str) -> None:
        self._source = source
        self._target = target
        self._source_name = source_name
        self._target_name = target_name
        self._contents: dict[str, _Content] = {}
        self.refused: Sequence[RefusedRow] = ()
        """The rows that the target refused, as of the last `survey` or `write`."""
        self._is_in_use = source.is_in_use()

    @property
    def rows(self) -> int:
        """Rows in the source."""
        return sum(content.rows for content in self._contents.values())

    @property
    def rows_copied(self) -> int:
        """Rows copied so far."""
        return self._target.copied.row_count - len(self.refused)

    def survey(self, advance: Advance) -> None:
        """Compute the digests of the source.

        Raises:
            DatabaseRefusedError: an unfinished copy is of another source, or this source has changed since.
        """
        total = sum(self._source.count(table) for table in TABLES)
        counted = _Progress(advance, total, hold=self._target.hold)
        self._contents = {table.name: _content(self._source, table, counted) for table in TABLES}
        self._read_refused()
        source = hashlib.sha256(b"".join(content.digest for content in self._contents.values())).hexdigest()
        copied = self._target.copied
        if not copied.source:
            self._target.write(replace(copied, source=source))
        elif copied.source != source:
            raise DatabaseRefusedError(
                f"{self._target_name}: the unfinished copy is of another source, or {self._source_name} has "
                "changed since: --anew deletes it and starts again"
            )

    def write(self, advance: Advance, *, skips_refused: bool = False) -> None:
        """Write the remaining rows; `skips_refused` skips refused ones.

        Raises:
            DataRefusedError: the target refuses a row; those before it are written.
        """
        copied = self._target.copied
        advance(copied.row_count, self.rows)
        names = [table.name for table in TABLES]
        for table in TABLES[names.index(copied.table_name) if copied.table_name else 0 :]:
            after = copied.last_key if table.name == copied.table_name else ()
            left_out = _LeftOut(self._target.refused())
            for page in _pages(self._source, table, after):
                if rows := left_out.others(table, page):
                    copied = self._write_rows(copied, table, rows, skips_refused=skips_refused)
                advance(copied.row_count, self.rows)
        self._read_refused()

    def _read_refused(self) -> None:
        names = [table.name for table in TABLES]
        self.refused = sorted(self._target.refused(), key=lambda row: (names.index(row.table_name), row.key))

    def _write_rows(self, copied: Copied, table: Table, rows: Sequence[Values], *, skips_refused: bool) -> Copied:
        key = table.key_of(rows[-1])
        row_count = copied.row_count + len(rows)
        written = replace(copied, table_name=table.name, last_key=key, row_count=row_count)
        try:
            self._target.write(written, rows, table)
        except DataRefusedError as error:
            middle = len(rows) // 2
            if middle:
                for half in rows[:middle], rows[middle:]:
                    copied = self._write_rows(copied, table, half, skips_refused=skips_refused)
                return copied
            refused = RefusedRow(table_name=table.name, key=key, reason=str(error))
            if not skips_refused:
                raise DataRefusedError(
                    f"{self._target_name} refuses a row of {refused}; the rows before it are written: fix the "
                    "cause and run `jobindex copy` again, or skip such rows with --skip-refused"
                ) from error
            self._target.write(written, refused=refused)
        return written

    def compare(self, advance: Advance) -> Iterator[Finding]:
        """Compare the copy with the source, table by table."""
        counted = _Progress(advance, self.rows, hold=self._target.hold)
        left_out = _LeftOut(self.refused)
        for table in TABLES:
            content = self._content_without(table, left_out)
            if _content(self._target, table, counted) == content:
                fewer = self._contents[table.name].rows - content.rows
                skipped = f", except {fewer} skipped" if fewer else ""
                yield Finding(name=table.name, detail=f"{_rows(content.rows)}, as in {self._source_name}{skipped}")
            else:
                yield Finding(name=table.name, problem=self._difference(table, left_out))

    def end(self) -> bool:
        """Complete the copy; return whether a service ingested into the source meanwhile.

        If so, or with skipped rows, the copy lacks messages: it is complete only since its own next connection.
        """
        is_in_use = self._is_in_use or self._source.is_in_use()
        self._target.end(is_complete=not is_in_use and not self.refused)
        return is_in_use

    def _content_without(self, table: Table, left_out: "_LeftOut") -> _Content:
        if not self.refused:
            return self._contents[table.name]
        uncounted = _Progress(lambda _done, _total: None, 0, hold=self._target.hold)
        return _content(self._source, table, uncounted, left_out)

    def _difference(self, table: Table, left_out: "_LeftOut") -> str:
        count, first = 0, []
        for key in _differing(table, self._source, self._target):
            self._target.hold()
            if left_out.holds(table, key):
                continue
            count += 1
            if count <= SHOWN:
                first.append("/".join(map(str, key)))
        more = f"; and {count - SHOWN} more" if count > SHOWN else ""
        return f"{_rows(count)} not the same as in {self._source_name}: {'; '.join(first)}{more}"


class _LeftOut:
    def __init__(self, refused: Iterable[RefusedRow]) -> None:
        self._keys = {(row.table_name, row.key) for row in refused}
        self._job_ids = {key[0] for name, key in self._keys if name == JOBS.name}

    def holds(self, table: Table, key: Values) -> bool:
        return (table.name, key) in self._keys or ("job_id" in table.key and self._is_of_job(table, key))

    def others(self, table: Table, rows: Sequence[Values]) -> Sequence[Values]:
        return [row for row in rows if not self.holds(table, table.key_of(row))] if self._keys else rows

    def _is_of_job(self, table: Table, key: Values) -> bool:
        return key[table.key.index("job_id")] in self._job_ids


class _Progress:
    def __init__(self, advance: Advance, total: int, *, hold: Callable[[], None]) -> None:
        self._advance = advance
        self._total = total
        self._hold = hold
        self._rows = 0

    def add(self, rows: int) -> None:
        self._hold()
        self._rows += rows
        self._advance(self._rows, self._total)


def _content(read: Rows, table: Table, progress: _Progress, left_out: _LeftOut | None = None) -> _Content:
    digest, count = hashlib.sha256(table.name.encode()), 0
    for page in _pages(read, table):
        rows = page if left_out is None else left_out.others(table, page)
        if rows:
            # Without brackets, so that the digest does not depend on the pages.
            digest.update(orjson.dumps(rows, default=bytes.hex)[1:-1] + b",")
        count += len(rows)
        progress.add(len(page))
    return _Content(rows=count, digest=digest.digest())


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _pages(read: Rows, table: Table, after: Values = ()) -> Iterator[Sequence[Values]]:
    while rows := read.page(table, after):
        yield rows
        after = table.key_of(rows[-1])


def _differing(table: Table, one: Rows, other: Rows) -> Iterator[Values]:
    """Yield the keys of rows that differ or are on one side only."""
    keyed = (((table.key_of(row), row) for rows in _pages(read, table) for row in rows) for read in (one, other))
    merged: Iterator[tuple[Any, Values]] = merge(*keyed, key=itemgetter(0))
    for key, found in groupby(merged, key=itemgetter(0)):
        first, *others = (row for _, row in found)
        if others != [first]:
            yield key
