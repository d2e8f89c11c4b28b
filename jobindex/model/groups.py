"""How jobs are found by their thing groups.

A thing group is known by name, by id, or by both; a message that gives both ties them for good, and a job reported
with one is found by the other. A job has the names of the groups among its `targets`, or the one reported alone, and
the id reported. Ties are followed when a list is asked for, so a tie changes no job.

ListJobs can ask for a name and an id together, so each job also has a key for each pair of its groups; a job of many
groups has the keys `many:NAME` in place of pairs of names, which would be more rows than the rest of the index.
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations

_PAIRS_MAXIMUM = 8
"""Groups of a job of which each pair has a key."""
_THING_GROUP = ":thinggroup/"


@lru_cache(maxsize=4096)  # the jobs of a deployment, and of a fleet, have few groups
def known_groups(targets: str | None, name: str | None, group_id: str | None) -> Sequence[str]:
    """Return the groups that a job was reported with: `name:NAME` in their order, then `id:ID`."""
    names = () if targets is None else group_names(targets)
    if name is not None:
        names = sorted({*names, name})
    groups = tuple(f"name:{name}" for name in names)
    return groups if group_id is None else (*groups, f"id:{group_id}")


@lru_cache(maxsize=1024)
def group_names(targets: str) -> Sequence[str]:
    """Return the names of the thing groups among `targets`, a JSON array of ARNs."""
    return sorted({arn.partition(_THING_GROUP)[2] for arn in json.loads(targets) if _THING_GROUP in arn})


def only_group_name(groups: Sequence[str]) -> str | None:
    """Return the name whose tied id is the job's `thingGroupId`: its only one, if no id was reported."""
    return groups[0].removeprefix("name:") if len(groups) == 1 and groups[0].startswith("name:") else None


def group_keys(groups: Sequence[str]) -> Iterator[str]:
    """Yield the keys by which a job with these groups is found: each group, and each pair."""
    yield from groups
    names = [group.removeprefix("name:") for group in groups if group.startswith("name:")]
    for id_ in (group.removeprefix("id:") for group in groups if group.startswith("id:")):
        yield from (f"both:{name}/{id_}" for name in names)
    if len(groups) > _PAIRS_MAXIMUM:
        yield from (f"many:{name}" for name in names)
    else:
        yield from (f"names:{one}/{other}" for one, other in combinations(names, 2))
