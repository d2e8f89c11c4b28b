"""The states of the last batches, so that the next one need not read them again.

A fleet's messages come in bursts: nine of ten states that a batch touches were touched by one of the last. A state that
is wrong here would be wrong in silence, so everything is dropped whenever it is not certain that the rows are as this
process wrote them last: after a transaction that did not commit, after rows were deleted, and in a shared database
after another process has written.
"""

from itertools import islice
from typing import TypeVar

from jobindex.storage.sql.row_access import RowAccess
from jobindex.storage.sql.states import BatchStates, LoadedExecution, LoadedJob, LoadedLists, States

STATES_MAXIMUM = 10_000
"""States kept of each kind: jobs, executions, lists."""

_Key = TypeVar("_Key")
_Loaded = TypeVar("_Loaded", LoadedJob, LoadedExecution, LoadedLists)


class StateCache:
    """States as they are stored; used by the one thread that writes."""

    def __init__(self, maximum: int = STATES_MAXIMUM) -> None:
        self._maximum = maximum
        self._states = States()
        self._batch: BatchStates | None = None
        self._is_open = False

    def begin(self) -> None:
        """Begin a transaction; drop everything if the last one did not commit."""
        if self._is_open:
            self.clear()
        self._is_open = True

    def batch(self, access: RowAccess) -> BatchStates:
        """Return the states of a batch, which begins with those that are kept; `commit` keeps what it made."""
        self._batch = BatchStates(access, self._states)
        return self._batch

    def commit(self) -> None:
        """Keep the states of the batch, now that its transaction is committed."""
        self._is_open = False
        if self._batch is not None:
            self._batch.settle()
            _keep(self._states.jobs, self._batch.jobs, self._maximum)
            _keep(self._states.executions, self._batch.executions, self._maximum)
            _keep(self._states.lists, self._batch.lists, self._maximum)
            self._batch = None

    def clear(self) -> None:
        """Drop everything."""
        self._states = States()
        self._batch = None


def _keep(kept: dict[_Key, _Loaded], used: dict[_Key, _Loaded], maximum: int) -> None:
    for key in used:
        kept.pop(key, None)
    kept.update(used)
    for key in [*islice(kept, max(0, len(kept) - maximum))]:
        del kept[key]
