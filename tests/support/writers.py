"""The writer of a store that writes in a thread: its connection and its state."""

from typing import Any


def writer_of(store: Any) -> Any:
    """Return the SqliteWriter or the PostgresWriter of a store."""
    place = store._engine._writer
    return getattr(place, "workplace", place).writer
