"""Thing groups of a job, and the keys by which ListJobs finds it.

A message that names a thing group by name and id ties them permanently: either then finds the job. ListJobs follows the
ties, so a new tie changes no job. It can filter by both, so each pair of a job's groups has a key; a job of many groups
has `many:NAME` keys instead, as pairs of names would need more rows than the rest of the index.
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations

_PAIRS_MAXIMUM = 8
"""The most groups of a job with keys for pairs of names."""
_CACHED_CHARACTERS = 4096
"""Longer `targets` are not cached; a job may have 200,000 characters of them."""
_THING_GROUP = ":thinggroup/"


def known_groups(targets: str | None, name: str | None, group_id: str | None) -> Sequence[str]:
    """Return a job's reported groups: sorted `name:NAME`, then `id:ID`."""
    is_short = targets is None or len(targets) <= _CACHED_CHARACTERS
    return (_known_cached if is_short else _known)(targets, name, group_id)


def _known(targets: str | None, name: str | None, group_id: str | None) -> Sequence[str]:
    names: Sequence[str] = () if targets is None else group_names(targets)
    if name is not None:
        names = sorted({*names, name})
    groups = tuple(f"name:{name}" for name in names)
    return groups if group_id is None else (*groups, f"id:{group_id}")


_known_cached = lru_cache(maxsize=4096)(_known)  # the jobs of a fleet have few groups


def group_names(targets: str) -> Sequence[str]:
    """Return the names of the thing groups in `targets`, a JSON array of ARNs."""
    return sorted({arn.partition(_THING_GROUP)[2] for arn in json.loads(targets) if _THING_GROUP in arn})


def only_group_name(groups: Sequence[str]) -> str | None:
    """Return the only group name if no id was reported: its tied id is the `thingGroupId`."""
    return groups[0].removeprefix("name:") if len(groups) == 1 and groups[0].startswith("name:") else None


def group_keys(groups: Sequence[str]) -> Iterator[str]:
    """Yield the keys of a job of these groups."""
    yield from groups
    names = [group.removeprefix("name:") for group in groups if group.startswith("name:")]
    for id_ in (group.removeprefix("id:") for group in groups if group.startswith("id:")):
        yield from (f"both:{name}/{id_}" for name in names)
    if len(groups) > _PAIRS_MAXIMUM:
        yield from (f"many:{name}" for name in names)
    else:
        yield from (f"names:{one}/{other}" for one, other in combinations(names, 2))
