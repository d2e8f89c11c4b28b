"""Tasks that race: the first one ends the wait, and the others are cancelled.

Not chosen: `asyncio.wait_for`, which Python 3.11 lets lose a cancellation that arrives together with the result
(https://github.com/python/cpython/issues/86296), and `asyncio.TaskGroup`, which waits for every task instead of the
first one, and wraps an error in a group.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def first_of(*tasks: asyncio.Task[Any]) -> AsyncIterator[None]:
    """Wait until a task is done and enter the context; on leaving it, cancel the tasks and wait until all have ended.

    No error of a task is raised here: the context calls `result()` on those that are done, and asyncio logs an error
    that nobody retrieves. A cancellation during the first wait skips the context, but not the end of the tasks; during
    the last wait it is raised at once, and the cancelled tasks end on their own.
    """
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
