"""How jobs are found by their thing groups."""

import json
from collections.abc import Sequence

import pytest

from jobindex.model.groups import group_keys, group_names, known_groups, only_group_name

ARN = "arn:aws:iot:us-east-1:123456789012"


Reported = tuple[str | None, str | None, str | None]


def reported(*groups: str, name: str | None = None, id_: str | None = None) -> Reported:
    """Return what was reported of a job with thing groups among its targets, beside a thing."""
    targets = [f"{ARN}:thing/t", *(f"{ARN}:thinggroup/{one}" for one in groups)]
    return json.dumps(targets) if groups else None, name, id_


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (reported(), []),
        (reported("b", "a"), ["name:a", "name:b"]),
        (reported(name="a"), ["name:a"]),
        (reported(id_="1"), ["id:1"]),
        (reported("b", name="a"), ["name:a", "name:b"]),
        (reported("a", name="a", id_="1"), ["name:a", "id:1"]),
        ((json.dumps([f"{ARN}:thing/t"]), None, None), []),
    ],
)
def test_the_groups_of_a_job(given: Reported, expected: Sequence[str]) -> None:
    """Those of its targets, and the name and the id reported: each once, in their order."""
    assert expected == [*known_groups(*given)]


def test_the_names_among_targets() -> None:
    """A group may be kept without its ARN; a name may hold a colon."""
    assert ["a", "b:c"] == [*group_names(json.dumps([":thinggroup/a", f"{ARN}:thing/t", f"{ARN}:thinggroup/b:c"]))]
    assert [] == [*group_names("[]")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (reported(), None),
        (reported("a"), "a"),
        (reported(name="a"), "a"),
        (reported("a", "b"), None),
        (reported("a", name="a"), "a"),
        (reported("a", id_="1"), None),
        (reported(id_="1"), None),
    ],
)
def test_the_only_name_of_a_job(given: Reported, expected: str | None) -> None:
    """Its tied id is the job's, unless an id was reported."""
    assert expected == only_group_name(known_groups(*given))


def test_a_job_has_a_key_for_each_group_and_each_pair() -> None:
    """ListJobs can ask for a name and an id together."""
    assert [] == [*group_keys([])]
    assert ["name:a"] == [*group_keys(["name:a"])]
    assert ["id:1"] == [*group_keys(["id:1"])]
    assert ["name:a", "id:1", "both:a/1"] == [*group_keys(["name:a", "id:1"])]
    assert [
        *("name:a", "name:b", "name:c", "id:1"),
        *("both:a/1", "both:b/1", "both:c/1"),
        "names:a/b",
        "names:a/c",
        "names:b/c",
    ] == [*group_keys(["name:a", "name:b", "name:c", "id:1"])]


@pytest.mark.parametrize(("count", "has_pairs"), [(8, True), (9, False)])
def test_a_job_of_many_groups_has_no_pairs(count: int, *, has_pairs: bool) -> None:
    """They would be more rows than the rest of the index."""
    names = [f"g{number}" for number in range(count)]
    keys = [*group_keys([f"name:{name}" for name in names])]
    assert [f"name:{name}" for name in names] == keys[:count]
    if has_pairs:
        assert count * (count - 1) // 2 == len(keys[count:])
        assert all(key.startswith("names:") for key in keys[count:])
    else:
        assert [f"many:{name}" for name in names] == keys[count:]


def test_an_id_counts_among_many_groups() -> None:
    """Eight names and an id are nine groups."""
    groups = [*(f"name:g{number}" for number in range(8)), "id:1"]
    keys = [*group_keys(groups)]
    assert [*groups, *(f"both:g{n}/1" for n in range(8)), *(f"many:g{n}" for n in range(8))] == keys
