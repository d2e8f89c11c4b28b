"""Opens an index with the engine that keeps it."""

from contextlib import AbstractAsyncContextManager

from jobindex.model.store import RejectedLimits, Store
from jobindex.storage.databases import Database, SqliteDatabase


def open_store(
    database: Database, limits: RejectedLimits | None = None, *, arn_prefix: str = ""
) -> AbstractAsyncContextManager[Store]:
    """Open an index, made or migrated where needed.

    `arn_prefix` begins the ARNs that no message reported. An engine is imported only if it is used.

    Raises:
        DatabaseRefusedError: it is no index of jobindex, newer than this version, or not to be worked with.
        DatabaseUnavailableError: it cannot be opened just now; trying again may help.
    """
    if isinstance(database, SqliteDatabase):
        from jobindex.storage.sqlite import store as sqlite  # noqa: PLC0415

        return sqlite.open_store(database.path, limits, arn_prefix=arn_prefix)
    from jobindex.storage.postgres import store as postgres  # noqa: PLC0415

    return postgres.open_store(database, limits, arn_prefix=arn_prefix)


async def migrate(database: Database) -> None:
    """Bring an index to this version's schema.

    Raises:
        DatabaseRefusedError, DatabaseUnavailableError: as `open_store` does.
    """
    async with open_store(database):
        pass
