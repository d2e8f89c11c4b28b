"""Races of tasks: the first result ends the wait, and the other tasks are cancelled.

Not chosen: `asyncio.wait_for`, which on Python 3.11 may lose a cancellation
(https://github.com/python/cpython/issues/86296); `asyncio.TaskGroup`, which waits for all.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def first_of(*tasks: asyncio.Task[Any]) -> AsyncIterator[None]:
    """Enter the context when a task is done; on leaving it, cancel all tasks and wait for them.

    The context calls `result()` to raise errors. A cancellation during the last wait is raised at once, and the tasks
    end on their own.
    """
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
