"""The phase that checks whether AWS publishes events: without them the index learns nothing of jobs that end."""

from collections.abc import Sequence

from jobindex.aws.phases import Outcome, Position, Tools
from jobindex.model.sync import SyncRun

EVENT_TYPES = ("JOB", "JOB_EXECUTION", "THING_GROUP")
"""The events of the default topic filters."""


class EventsPhase:
    """Asks AWS which events it publishes."""

    name = "events"
    operation = "DescribeEventConfigurations"
    calls_per_item = 1

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        return {}, 1

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        answer = await self._tools.caller.call("DescribeEventConfigurations")
        return Outcome(position=None, problems=events_problems(answer.members), done=1)


def events_problems(members: object) -> list[str]:
    """Return the problem in an answer to DescribeEventConfigurations, or nothing."""
    off = events_off(members)
    return [f"Events of AWS IoT are off: {', '.join(off)}. Turn them on: {turning_on(off)}"] if off else []


def events_off(members: object) -> list[str]:
    """Return the types of events that are off by an answer to DescribeEventConfigurations."""
    configurations = members.get("eventConfigurations") if isinstance(members, dict) else None
    found = configurations if isinstance(configurations, dict) else {}
    return [name for name in EVENT_TYPES if not (found.get(name) or {}).get("Enabled", False)]


def turning_on(types: Sequence[str]) -> str:
    """Return the command that turns types of events on."""
    turned_on = ",".join(f"{name}={{Enabled=true}}" for name in types)
    return f"aws iot update-event-configurations --event-configurations '{turned_on}'"
