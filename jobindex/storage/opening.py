"""Opens an index with the engine of its database."""

from contextlib import AbstractAsyncContextManager

from jobindex.model.store import RejectedLimits, Store
from jobindex.storage.databases import Database, SqliteDatabase


def open_store(
    database: Database, limits: RejectedLimits | None = None, *, arn_prefix: str = "", writes_apart: bool = False
) -> AbstractAsyncContextManager[Store]:
    """Open an index, creating or migrating it if needed.

    `arn_prefix` is for ARNs that no message reported; `writes_apart` starts a writer process.

    Raises:
        DatabaseRefusedError: it is not an index of jobindex, is newer than this version, or cannot be used.
        DatabaseUnavailableError: it cannot be opened now; a retry may help.
    """
    if isinstance(database, SqliteDatabase):
        from jobindex.storage.sqlite import store as sqlite  # noqa: PLC0415

        return sqlite.open_store(database.path, limits, arn_prefix=arn_prefix, writes_apart=writes_apart)
    from jobindex.storage.postgres import store as postgres  # noqa: PLC0415

    return postgres.open_store(database, limits, arn_prefix=arn_prefix, writes_apart=writes_apart)


async def migrate(database: Database) -> None:
    """Migrate an index to this version's schema.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: as for `open_store`.
    """
    async with open_store(database):
        pass
