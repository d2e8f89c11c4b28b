"""The fleet: namespaces with counts of jobs and executions, things, and the things of thing groups."""

from datetime import UTC, datetime

from jobindex.model.jobs import JobStatus
from jobindex.model.parameters import THING_GROUP_NAME, THING_NAME, Text, Values
from jobindex.model.reader import Reader
from jobindex.model.views import ExecutionState, Namespace, Thing
from jobindex.web.api.operations import COMMON_ERRORS, Audience, Operation, Served, page_limit
from jobindex.web.api.schemas import (
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    an_array,
    an_object,
    counted,
    counts_of,
    if_known,
    known,
    or_null,
    seconds,
)

_PART_OF_NAME = Text(pattern="[a-zA-Z0-9:_-]*", greatest_length=128)
_BEHIND_NONE = "!"
"""The `next` of a page that ends with the jobs without a namespace; no namespace has this name."""

LIST_NAMESPACES = Operation(
    name="ListNamespaces",
    summary="Namespaces in order, the jobs without one first, with counts of jobs and executions",
    path="/index/namespaces",
    parameters={"limit": page_limit(), "after": Text(pattern=f"({_BEHIND_NONE}|[a-zA-Z0-9_-]*)")},
    answer=an_object(
        namespaces=an_array(
            an_object(
                namespaceId=if_known(TEXT),
                jobs=counts_of(JobStatus),
                executions=counts_of(ExecutionState),
                lastChangeAt=if_known(TIME),
                activity=an_array(NUMBER),
            )
        ),
        next=or_null(TEXT),
    ),
    errors=COMMON_ERRORS,
)
LIST_THINGS = Operation(
    name="ListThings",
    summary="The names of things that begin with a prefix, in order",
    path="/index/things",
    parameters={"prefix": _PART_OF_NAME, "limit": page_limit(), "after": _PART_OF_NAME},
    answer=an_object(things=an_array(THING_NAME.schema()), next=or_null(THING_NAME.schema())),
    errors=COMMON_ERRORS,
)
GET_THING = Operation(
    name="GetThing",
    summary="A thing with its execution counts and the times of its last message and pending lists",
    path="/index/things/{thingName}",
    parameters={"thingName": THING_NAME},
    answer=an_object(
        thingName=THING_NAME.schema(),
        executions=counts_of(ExecutionState),
        waitingSince=if_known(TIME),
        lastHeardAt=if_known(TIME),
        pendingLists=an_array(an_object(namespaceId=if_known(TEXT), listedAt=TIME)),
    ),
)
LIST_THINGS_IN_THING_GROUP = Operation(
    name="ListThingsInThingGroup",
    summary="The things of a thing group in order, as the sync with AWS has listed them",
    path="/index/thing-groups/{thingGroupName}/things",
    audience=Audience.UNLIMITED,
    parameters={"thingGroupName": THING_GROUP_NAME, "limit": page_limit(), "after": _PART_OF_NAME},
    answer=an_object(
        things=an_array(an_object(thingName=THING_NAME.schema(), isHeardOf=FLAG)),
        membersAsOf=if_known(TIME),
        next=or_null(THING_NAME.schema()),
    ),
)


async def _list_namespaces(reader: Reader, values: Values) -> object:
    limit, after = values.integer("limit"), values.text("after")
    behind = "" if after == _BEHIND_NONE else after or None
    found = await reader.namespaces(after=behind, limit=limit + 1, now=datetime.now(UTC))
    page = found[:limit]
    return {
        "namespaces": [_namespace(namespace) for namespace in page],
        "next": (page[-1].namespace_id or _BEHIND_NONE) if found[limit:] else None,
    }


async def _list_things(reader: Reader, values: Values) -> object:
    limit = values.integer("limit")
    found = await reader.things(prefix=values.text("prefix"), after=values.text("after"), limit=limit + 1)
    return {"things": found[:limit], "next": found[limit - 1] if found[limit:] else None}


async def _get_thing(reader: Reader, values: Values) -> object:
    return _thing(await reader.thing(values.text("thingName")))


async def _list_things_in_thing_group(reader: Reader, values: Values) -> object:
    limit = values.integer("limit")
    found = await reader.thing_group_members(values.text("thingGroupName"), after=values.text("after"), limit=limit + 1)
    page = found.members[:limit]
    things = [{"thingName": one.thing_name, "isHeardOf": one.is_heard_of} for one in page]
    following = page[-1].thing_name if found.members[limit:] else None
    return {**known(things=things, membersAsOf=seconds(found.members_as_of)), "next": following}


def _namespace(namespace: Namespace) -> dict[str, object]:
    return known(
        namespaceId=namespace.namespace_id,
        jobs=counted(namespace.jobs),
        executions=counted(namespace.executions),
        lastChangeAt=seconds(namespace.last_change_at),
        activity=namespace.activity,
    )


def _thing(thing: Thing) -> dict[str, object]:
    return known(
        thingName=thing.thing_name,
        executions=counted(thing.executions),
        waitingSince=seconds(thing.waiting_since),
        lastHeardAt=seconds(thing.last_heard_at),
        pendingLists=[
            known(namespaceId=namespace_id, listedAt=seconds(listed_at))
            for namespace_id, listed_at in thing.pending_lists.items()
        ],
    )


SERVED: Served = (
    (LIST_NAMESPACES, _list_namespaces),
    (LIST_THINGS, _list_things),
    (GET_THING, _get_thing),
    (LIST_THINGS_IN_THING_GROUP, _list_things_in_thing_group),
)
