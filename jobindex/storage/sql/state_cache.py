"""Caches the states of the last batches for the next one.

Messages come in bursts: nine of ten states in a batch were in one of the last batches. A wrong state would be a silent
error, so the cache is cleared whenever rows may have changed: after a transaction that did not commit, after rows were
deleted, and after another process has written to a shared database.
"""

from typing import Generic, TypeVar

from jobindex.storage.sql.row_access import RowAccess
from jobindex.storage.sql.states import BatchStates, LoadedExecution, LoadedJob, LoadedLists, States

STATES_MAXIMUM = 10_000
"""Cached states of each kind: jobs, executions, lists."""
CHARACTERS_MAXIMUM = 2 * 1024 * 1024
"""Characters in the long members of cached jobs, and of executions: one may have 600 kB of `statusDetails`.

Earlier attempts and loose reports take about eight times as much memory as their text.
"""

_Key = TypeVar("_Key")
_Loaded = TypeVar("_Loaded", bound=LoadedJob | LoadedExecution | LoadedLists)


class StateCache:
    """Caches states as stored; used only by the writing thread."""

    def __init__(self, maximum: int = STATES_MAXIMUM) -> None:
        self._maximum = maximum
        self._is_open = False
        self._batch: BatchStates | None = None
        self.clear()

    def begin(self) -> None:
        """Begin a transaction."""
        if self._is_open:
            self.clear()
        self._is_open = True

    def batch(self, access: RowAccess) -> BatchStates:
        """Return the states of a new batch, which `commit` caches."""
        self._batch = BatchStates(access, self._states)
        return self._batch

    def commit(self) -> None:
        """Cache the states of the committed batch."""
        self._is_open = False
        if self._batch is not None:
            self._batch.settle()
            self._jobs.keep(self._batch.jobs, self._maximum)
            self._executions.keep(self._batch.executions, self._maximum)
            self._lists.keep(self._batch.lists, self._maximum)
            self._batch = None

    def clear(self) -> None:
        """Clear the cache."""
        self._states = States()
        self._jobs = _Kept(self._states.jobs)
        self._executions = _Kept(self._states.executions)
        self._lists = _Kept(self._states.lists)
        self._batch = None


class _Kept(Generic[_Key, _Loaded]):
    """The cached states of a kind, oldest batches first."""

    def __init__(self, states: dict[_Key, _Loaded]) -> None:
        self._states = states
        self._lengths: dict[_Key, int] = {}
        self._characters = 0

    def keep(self, used: dict[_Key, _Loaded], maximum: int) -> None:
        for key, loaded in used.items():
            self._states.pop(key, None)
            self._states[key] = loaded
            length = loaded.length()
            self._characters += length - self._lengths.get(key, 0)
            self._lengths[key] = length
        if len(self._states) > maximum or self._characters > CHARACTERS_MAXIMUM:
            for key in [*self._states]:
                del self._states[key]
                self._characters -= self._lengths.pop(key)
                if len(self._states) <= maximum and self._characters <= CHARACTERS_MAXIMUM:
                    break
