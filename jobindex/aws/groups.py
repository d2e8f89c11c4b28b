"""The phase that lists thing groups with their jobs and their members, if a fill is asked for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobindex.aws.pages import Listing
from jobindex.aws.phases import PAGE_ROWS, Outcome, Position, Reading, Tools, job_id_of
from jobindex.errors import AwsDeniedError, AwsFailedError, AwsNotFoundError
from jobindex.messages.rows import RowOperation
from jobindex.model.jobs import THING_GROUP_NAME, THING_NAME
from jobindex.model.reports import ThingGroupReport
from jobindex.model.sync import SyncRun

_JOBS, _MEMBERS = "ListJobs", "ListThingsInThingGroup"
"""The lists of a group, in this order."""


class ThingGroupsPhase:
    """Lists the jobs and the members of each thing group.

    The jobs take one call for a group, instead of one for each of them. A list that the source denies, lacks, or gives
    without regard to the group is left out for all groups; the other list goes on.
    """

    name = "thing groups"
    operation = _JOBS
    calls_per_item = 2

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._groups = Listing(tools.caller, "ListThingGroups")
        self._lists = {operation: Listing(tools.caller, operation) for operation in (_JOBS, _MEMBERS)}

    async def begin(self, run: SyncRun, *, is_complete: bool) -> tuple[Position | None, int | None]:
        return {"groups": [], "page": {}, "lists": [*self._lists]}, None

    async def step(self, run: SyncRun, position: Position) -> Outcome:
        if not position["lists"]:
            return Outcome(position=None)
        if position["groups"]:
            return await self._list(position, position["groups"][0])
        if position["page"] is None:
            return Outcome(position=None)
        page = await self._groups.read(position["page"], maxResults=PAGE_ROWS)
        following = {**position, "page": page.following}
        if page.answer is None:
            return Outcome(position=following, problems=page.problems)
        names = [str(group.get("groupName")) for group in page.answer.members.get("thingGroups") or ()]
        names = [name for name in names if THING_GROUP_NAME.fullmatch(name)]
        return Outcome(
            position={**following, "groups": names},
            rows=[(ThingGroupReport(name),) for name in names],
            as_of=page.answer.as_of,
            problems=page.problems,
        )

    async def _list(self, position: Position, group: str) -> Outcome:
        """List the jobs or the members of a group, a page at a time."""
        operation, first = position.get("list", position["lists"][0]), position.get("listPage", {})
        try:
            page = await self._lists[operation].read(first, thingGroupName=group, maxResults=PAGE_ROWS)
        except AwsNotFoundError:  # the group was deleted meanwhile
            return Outcome(**_after(position, operation))
        except (AwsDeniedError, AwsFailedError) as error:
            return _left_out(position, operation, [str(error)])
        following: dict[str, Any] = {"position": {**position, "list": operation, "listPage": page.following}}
        if page.following is None:
            following = _after(position, operation)
        if page.answer is None:
            if page.is_incomplete and "token" not in first:
                return _left_out(position, operation, page.problems)
            return Outcome(**following, problems=page.problems)
        if operation == _MEMBERS:
            names = [str(name) for name in page.answer.members.get("things") or ()]
            wrong = [name for name in names if not THING_NAME.fullmatch(name)]
            problems = [*page.problems]
            if wrong:  # one problem for each answer: only so many are shown
                problems.append(
                    f"{operation}: {wrong[0]!r} is not the name of a thing: {len(wrong)} left out of {group!r}"
                )
            return Outcome(
                **following,
                members=[(group, name) for name in names if name not in wrong],
                whole_group=group if page.following is None and not page.is_incomplete else None,
                as_of=page.answer.as_of,
                problems=problems,
            )
        rows: Sequence[Mapping[str, Any]] = page.answer.members.get("jobs") or ()
        problem = await self._filter_problem(group, rows) if "token" not in first else None
        if problem is not None:
            return _left_out(position, operation, [problem])
        reading = Reading(self._tools, page.answer)
        await reading.read([{**row, "thingGroupName": group} for row in rows], RowOperation.LIST_JOBS)
        return reading.outcome(**following, problems=page.problems)

    async def _filter_problem(self, group: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
        """Return why a list may be of other groups, too: its first job must have the group among its targets."""
        job_id = next(filter(None, map(job_id_of, rows)), None)
        if job_id is None:
            return None
        try:
            answer = await self._tools.caller.call("DescribeJob", jobId=job_id)
        except AwsNotFoundError:
            return None
        except AwsDeniedError as error:
            return f"{error}; whether ListJobs honours thingGroupName is not known"
        targets = (answer.members.get("job") or {}).get("targets") or ()
        if any(str(target).endswith(f":thinggroup/{group}") for target in targets):
            return None
        return f"ListJobs ignores thingGroupName: the list of {group!r} has a job with other targets"


def _after(position: Position, operation: str) -> dict[str, Any]:
    """Return the position after a list of a group, and the number of groups that are done with it."""
    lists, groups = position["lists"], position["groups"]
    following = {"groups": groups, "page": position["page"], "lists": lists}
    if operation != lists[-1]:
        return {"position": {**following, "list": lists[lists.index(operation) + 1]}}
    return {"position": {**following, "groups": groups[1:]}, "done": 1}


def _left_out(position: Position, operation: str, problems: Sequence[str]) -> Outcome:
    """Leave out a list of this group and of all others."""
    after = _after(position, operation)
    lists = [one for one in position["lists"] if one != operation]
    return Outcome(**{**after, "position": {**after["position"], "lists": lists}}, problems=problems)
