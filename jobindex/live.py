"""What has changed in the index, told to who watches it, without ever holding up who changes it.

What batches change is put together and told once a tick; the same bytes go to every watcher. A watcher that has not
taken what was told before is dropped: it comes back and sees all as it then is. Watchers read again what they show,
so ticks come the less often the more of them there are: together they cost the same.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

import orjson

from jobindex.jobs import JobDeletion, JobExecutionReport, JobReport, PendingListReport, RejectedMessage, Report

TICK_SECONDS = 0.5
"""At least so much time lies between two ticks."""
WATCHERS_A_SECOND = 40
"""Watchers told in a second, on average, while something changes all the time."""
WATCHERS_MAXIMUM = 1000
NAMED_MAXIMUM = 100
"""Jobs, or things, that are named in a tick; of more it is said that there were many."""
QUIET_SECONDS = 15
"""Without a change a watcher is told so often that the line stands."""
_UNTAKEN_MAXIMUM = 4


class TooManyWatchers(Exception):  # noqa: N818
    """No more can watch."""


class Live:
    """Tells watchers what has changed."""
