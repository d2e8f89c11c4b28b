"""The pages of ListJobs in SQL: what is read for a page is bounded by the page, whatever the filters and the index.

A page is merged from streams, each of which SQLite reads in the order of an index, and no further than needed:
a stream for each kind of job (`readings.py`) that the filters leave open, and for each way
in which jobs were told with the thing group asked for. Each combination of filters is a statement of its own:
`(:status IS NULL OR status = :status)` would make SQLite read every job. Jobs come as JSON, made when they were
written, in one string, whose marks are filled in by one `%`: to make 250 rows objects of Python costs three times
what reading them does, and to find the marks by splitting half of it.

One question is not bounded by the page: by the name of one thing group and the id of another, where the second was
told by name. Then the jobs of the first group that have more than eight groups are all read: their pairs would be
more rows than the rest of the index.

Who sees the jobs of some namespaces alone is read a stream for each of these too: of those streams that have a job at
all, which are looked up first. So a page costs as much as they are, whatever there is in other namespaces.
"""

import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from jobindex.errors import ResourceNotFoundException
from jobindex.jobs import from_milliseconds, to_milliseconds
from jobindex.listing import Filters, JobPage, ListJobsQuery, Position
from jobindex.sqlite.readings import SELECTION_KINDS, STATUS_KINDS
from jobindex.sqlite.seen import OF_SEEN, Seen, encoded

Steps = Generator[tuple[str, Mapping[str, object]], Sequence[Any], JobPage]
"""What is to be read, a statement and its parameters at a time; each is sent its rows, and a page comes of it."""

STREAMS_MAXIMUM = 400
"""Streams that are merged at once (SQLite takes 500); more are merged in several steps."""

_MERGED = "{streams} ORDER BY created_at {order}, job_id {order} LIMIT :limit"

_NEWEST_FIRST = "SELECT * FROM ({merged}) ORDER BY created_at DESC, job_id DESC"

_PAGE_OF_ALL = "SELECT CAST(group_concat(listed) AS BLOB), count(*) FROM ({merged})"

_OF_ALL = "SELECT created_at, job_id, listed FROM job_summaries AS job WHERE {conditions}"

_PAGE_OF_GROUP = """
SELECT CAST(group_concat(job.listed) AS BLOB), count(*)
FROM ({merged}) AS page
CROSS JOIN job_summaries AS job USING (created_at, job_id)
"""

_OF_GROUP = "SELECT created_at, job_id FROM job_thing_groups AS member WHERE {conditions}"

_ALSO_IN = (
    "EXISTS (SELECT 1 FROM job_thing_groups AS other WHERE other.thing_group = {} AND other.kind = member.kind"
    " AND other.created_at = member.created_at AND other.job_id = member.job_id)"
)

# The ways in which jobs may have been told with a group known by name: by the name, by an id tied to it.
_KEYS_OF_GROUP_NAME = """
SELECT CASE WHEN thing_group_id = '' THEN 'name:' || thing_group_name ELSE 'id:' || thing_group_id END
FROM thing_groups
WHERE thing_group_name = :value
UNION SELECT 'name:' || thing_group_name FROM thing_groups WHERE thing_group_name = :value
"""

# The same for a group known by id.
_KEYS_OF_GROUP_ID = """
SELECT CASE WHEN thing_group_name = '' THEN 'id:' || thing_group_id ELSE 'name:' || thing_group_name END
FROM thing_groups
WHERE thing_group_id = :value
UNION SELECT 'id:' || thing_group_id FROM thing_groups WHERE thing_group_id = :value
"""

# Whether a job that is seen was told with a thing group, in any of these ways.
_IS_SEEN_IN_GROUP = """
SELECT EXISTS (
    SELECT 1
    FROM json_each(:keys) AS key
    CROSS JOIN json_each(:seen) AS seen
    CROSS JOIN job_thing_groups AS member ON (member.thing_group, member.namespace_id) = (key.value, seen.value)
)
"""

# Where there are jobs that are seen.
_PLACES = f"""
SELECT namespace_id, kind, NULL
FROM namespace_jobs
WHERE namespace_id {OF_SEEN}
ORDER BY namespace_id, kind
"""

# The same of those that were told with a thing group, with the number of the way in which they were.
_PLACES_IN_GROUP = """
SELECT place.namespace_id, place.kind, key.key
FROM json_each(:keys) AS key
CROSS JOIN json_each(:seen) AS seen
CROSS JOIN namespace_jobs AS place ON place.namespace_id = seen.value
WHERE EXISTS (
    SELECT 1
    FROM job_thing_groups AS member
    WHERE member.thing_group = key.value
    AND member.namespace_id = place.namespace_id
    AND member.kind = place.kind
)
"""

# The id of each group that has one.
_TIED_IDS = """
SELECT name.value, (
    SELECT min(thing_group_id)
    FROM thing_groups
    WHERE thing_group_name = name.value
    AND thing_group_id > ''
)
FROM json_each(:names) AS name
"""

# How each job begins, where in the last one its position stands, and the name in a mark.
_OPENING = b',{"jobArn":'
_POSITION = re.compile(rb'"jobId":"([^"]*)".*"createdAt":([^,]+)')
_GROUP_NAME = re.compile(rb"%\(([a-zA-Z0-9:_-]+)\)b")  # an ARN may hold a "%(", and be followed by a mark

Known = dict[bytes, bytes]
"""What stands for the marks in job_summaries.listed, as far as it is known."""


@dataclass(frozen=True, slots=True)
class Key:
    """A way in which jobs were told with the thing group, or groups, that are asked for."""

    thing_group: str
    other: str | None = None
    """Another that the same jobs must have been told with."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where there are jobs that are seen."""

    namespace_id: str
    kind: int
    key: int | None
    """Which of the keys they were told with; None where no thing group is asked for."""


def read_page(query: ListJobsQuery, known: Known, seen: Seen = None) -> Steps:
    """Read a page, all of it in one snapshot; `known` holds what was read in this snapshot, and learns more.

    Raises:
        ResourceNotFoundException: no message ever named a thing group that a filter names, or no job that is seen is
            in it.
    """
    keys = yield from read_keys(query.filters, seen)
    places = None if seen is None else (yield from _read_places(query.filters, keys, seen))
    statement = page_statement(query, keys, places)
    if statement is None:
        return JobPage(jobs=b"", next_position=None)
    [(listed, count)] = yield statement, page_parameters(query, keys, places)
    if not count:
        return JobPage(jobs=b"", next_position=None)
    position = None
    if count > query.max_results:
        if query.is_backwards:
            listed = listed[listed.index(_OPENING) + 1 :]
            edge = listed.partition(_OPENING)[0]
        else:
            listed = listed[: listed.rindex(_OPENING)]
            edge = listed[listed.rfind(_OPENING) + 1 :]
        position = _position(edge)
    jobs = yield from read_marks(listed, known)
    return JobPage(jobs=jobs, next_position=position)


def read_marks(listed: bytes, known: Known) -> Generator[tuple[str, Mapping[str, object]], Sequence[Any], bytes]:
    """Return jobs with their marks filled in."""
    try:
        return listed % known
    except KeyError:
        names = {name.decode() for name in _GROUP_NAME.findall(listed)}
        for name, id_ in (yield _TIED_IDS, {"names": json.dumps(list(names))}):
            known[name.encode()] = b"" if id_ is None else b',"thingGroupId":"%s"' % id_.encode()
        return listed % known


def _position(listed: bytes) -> Position:
    """Return the position of one job of a page."""
    job_id, created_at = _POSITION.findall(listed)[0]
    return Position(created_at=from_milliseconds(round(float(created_at) * 1000)), job_id=job_id.decode())


def known_of(arn_prefix: str) -> Known:
    """Return what is known before anything is read: the beginning of ARNs."""
    return {b"": json.dumps(arn_prefix)[1:-1].encode()}


def page_statement(
    query: ListJobsQuery, keys: Sequence[Key] | None, places: Sequence[Place] | None = None
) -> str | None:
    """Return the statement that reads a page, and one job more where there is one; None where nothing can be listed.

    `places` are where the jobs that are seen may be; None for who sees all.
    """
    streams = list(_streams(query, keys) if places is None else _seen_streams(query, keys, places))
    # A job may have been told with a group in several ways.
    union = " UNION ALL " if keys is None or len(keys) == 1 else " UNION "
    order = "ASC" if query.is_backwards else "DESC"
    while len(streams) > STREAMS_MAXIMUM:
        parts = [streams[start : start + STREAMS_MAXIMUM] for start in range(0, len(streams), STREAMS_MAXIMUM)]
        streams = [f"SELECT * FROM ({_MERGED.format(streams=union.join(part), order=order)})" for part in parts]
    if not streams:
        return None
    merged = _MERGED.format(streams=union.join(streams), order=order)
    if query.is_backwards:
        merged = _NEWEST_FIRST.format(merged=merged)
    return (_PAGE_OF_ALL if keys is None else _PAGE_OF_GROUP).format(merged=merged)


def page_parameters(
    query: ListJobsQuery, keys: Sequence[Key] | None, places: Sequence[Place] | None = None
) -> dict[str, object]:
    """Return the parameters of such a statement."""
    parameters: dict[str, object] = {"limit": query.max_results + 1, "namespace_id": query.filters.namespace_id}
    for number, key in enumerate(keys or ()):
        parameters |= {f"group_{number}": key.thing_group, f"other_{number}": key.other}
    parameters |= {f"namespace_{number}": place.namespace_id for number, place in enumerate(places or ())}
    if query.after is not None:
        parameters |= {"created_at": to_milliseconds(query.after.created_at), "job_id": query.after.job_id}
    return parameters


def _streams(query: ListJobsQuery, keys: Sequence[Key] | None) -> Iterator[str]:
    conditions = _beyond(query)
    if query.filters.namespace_id is not None:
        conditions.insert(0, "namespace_id = :namespace_id")
    # The list without any filter serves as it is.
    kinds = [f"kind = {kind}" for kind in kinds_of(query.filters)] if query.filters != Filters() else ["true"]
    if keys is None:
        for kind in kinds:
            yield _OF_ALL.format(conditions=" AND ".join([kind, *conditions]))
        return
    for number, key in enumerate(keys):
        for kind in kinds:
            yield _OF_GROUP.format(conditions=" AND ".join([*_in_group(number, key), kind, *conditions]))


def _seen_streams(query: ListJobsQuery, keys: Sequence[Key] | None, places: Sequence[Place]) -> Iterator[str]:
    """Yield the streams of jobs that are seen, one for each place."""
    for number, place in enumerate(places):
        conditions = [f"kind = {place.kind}", f"namespace_id = :namespace_{number}", *_beyond(query)]
        if keys is None or place.key is None:
            yield _OF_ALL.format(conditions=" AND ".join(conditions))
        else:
            of_group = _in_group(place.key, keys[place.key])
            yield _OF_GROUP.format(conditions=" AND ".join([*of_group, *conditions]))


def _beyond(query: ListJobsQuery) -> list[str]:
    """Return the condition that a page goes on by, where there is one."""
    if query.after is None:
        return []
    return [f"(created_at, job_id) {'>' if query.is_backwards else '<'} (:created_at, :job_id)"]


def _in_group(number: int, key: Key) -> list[str]:
    """Return the conditions of jobs that were told with a key."""
    of_group = [f"thing_group = :group_{number}"]
    if key.other is not None:
        of_group.append(_ALSO_IN.format(f":other_{number}"))
    return of_group


def _read_places(
    filters: Filters, keys: Sequence[Key] | None, seen: frozenset[str]
) -> Generator[tuple[str, Mapping[str, object]], Sequence[Any], Sequence[Place]]:
    """Read where the jobs that pass the filters may be among those that are seen."""
    if filters.namespace_id is not None:
        seen &= {filters.namespace_id}
    if keys is None:
        rows = yield _PLACES, {"seen": encoded(seen)}
    else:
        groups = json.dumps([key.thing_group for key in keys])
        rows = yield _PLACES_IN_GROUP, {"keys": groups, "seen": encoded(seen)}
    kinds = kinds_of(filters)
    return [Place(namespace_id, kind, key) for namespace_id, kind, key in rows if kind in kinds]


def kinds_of(filters: Filters) -> list[int]:
    """Return the kinds of job that the filters leave open."""
    return [
        status_kind + selection_kind
        for status, status_kind in STATUS_KINDS.items()
        for selection, selection_kind in SELECTION_KINDS.items()
        if filters.status in {None, status} and filters.target_selection in {None, selection}
    ]


def read_keys(
    filters: Filters, seen: Seen = None
) -> Generator[tuple[str, Mapping[str, object]], Sequence[Any], Sequence[Key] | None]:
    """Read the keys of the jobs that the two group filters accept together, None without them.

    Raises:
        ResourceNotFoundException: no message ever named one of the groups, or no job that is seen is in it.
    """
    accepted = []
    for statement, value in (
        (_KEYS_OF_GROUP_NAME, filters.thing_group_name),
        (_KEYS_OF_GROUP_ID, filters.thing_group_id),
    ):
        if value is not None:
            keys = [key for (key,) in (yield statement, {"value": value})]
            if not keys or (seen is not None and not (yield from _is_seen_in_group(keys, seen))):
                raise ResourceNotFoundException(f"Thing group {value} cannot be found.")
            accepted.append(keys)
    match accepted:
        case []:
            return None
        case [keys]:
            return [Key(key) for key in keys]
        case _:
            return list(dict.fromkeys(key for one, other in product(*accepted) for key in _together(one, other)))


def _is_seen_in_group(
    keys: Sequence[str], seen: frozenset[str]
) -> Generator[tuple[str, Mapping[str, object]], Sequence[Any], bool]:
    """Tell whether a job that is seen was told with a group, which has these keys."""
    [(is_known,)] = yield _IS_SEEN_IN_GROUP, {"keys": json.dumps(keys), "seen": encoded(seen)}
    return bool(is_known)


def _together(one: str, other: str) -> Iterator[Key]:
    """Yield the key of the jobs that were told with both groups: a job has many names of groups and one id."""
    if one == other:
        yield Key(one)
    elif one.startswith("name:") and other.startswith("name:"):
        names = sorted(key.removeprefix("name:") for key in (one, other))
        yield Key(f"names:{names[0]}/{names[1]}")
        yield Key(f"many:{names[0]}", f"name:{names[1]}")
    elif one.startswith("name:") or other.startswith("name:"):
        name, id_ = (one, other) if one.startswith("name:") else (other, one)
        yield Key(f"both:{name.removeprefix('name:')}/{id_.removeprefix('id:')}")
