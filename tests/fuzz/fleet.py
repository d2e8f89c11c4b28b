"""A small fleet in an index: two namespaces that a key may see, and one that is hidden from it."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from jobindex.messages.parsing import Parser
from jobindex.model.jobs import to_milliseconds
from jobindex.model.reports import RejectedMessage
from jobindex.model.store import Store

NAMESPACES = ("acme", "next-acme")
"""The visible namespaces."""
JOBS = ("job-1", "job-2", "job-3")
THINGS = ("pump-1", "pump-2")
GROUPS = ("blue", "green")
HIDDEN = "zeta9"
"""Part of every name that occurs only in the hidden namespace."""
NEVER = "zeta8"
"""Part of names that do not exist."""
HIDDEN_NAMESPACE, HIDDEN_JOB, HIDDEN_THING, HIDDEN_GROUP = HIDDEN, f"{HIDDEN}-job", f"{HIDDEN}-pump", f"{HIDDEN}-group"

_SECONDS = 1_790_000_000


def _messages() -> Iterator[tuple[str, object]]:
    places = [(namespace, f"{job}{suffix}", THINGS) for namespace, suffix in zip(NAMESPACES, ("", "b")) for job in JOBS]  # noqa: B905
    places += [(HIDDEN_NAMESPACE, f"{HIDDEN_JOB}{number or ''}", (HIDDEN_THING, THINGS[0])) for number in range(3)]
    for number, (namespace, job, things) in enumerate(places):
        group = HIDDEN_GROUP if namespace == HIDDEN_NAMESPACE else GROUPS[number % 2]
        for thing in things:
            queued = {"status": "QUEUED", "queuedAt": _SECONDS + number, "executionNumber": number}
            job_members = {
                "createdAt": _SECONDS + number,
                "targetSelection": ("SNAPSHOT", "CONTINUOUS")[number % 2],
                "thingGroupName": group,
                **({"thingGroupId": "1-a"} if group == GROUPS[0] else {}),
            }
            topic = f"$aws/things/{thing}/jobs/{job}/notify-namespace-{namespace}"
            yield topic, {"job": job_members, "execution": queued}
    yield f"$aws/events/job/{JOBS[2]}/completed", {"lastUpdatedAt": _SECONDS + 99, "completedAt": _SECONDS + 99}


REJECTED: Sequence[RejectedMessage] = [
    RejectedMessage(
        topic=f"$aws/things/{HIDDEN_THING}/jobs/notify", payload=payload, reason="<script>alert(1)</script>"
    )
    for payload in (b"", b"<script>alert(1)</script>", b"\xff")
]


async def tell(store: Store) -> None:
    """Apply the fleet's messages to an index."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    reports = [
        report
        for topic, told in _messages()
        for report in Parser().parse_message(topic, json.dumps(told).encode(), to_milliseconds(now))
    ]
    await store.apply(reports, REJECTED, now=now)
