"""Thing groups by which jobs are found."""

import json
import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from jobindex.model.groups import group_keys, group_names, known_groups, only_group_name
from jobindex.storage.sql.summaries import group_rows

ARN = "arn:aws:iot:us-east-1:123456789012"


Reported = tuple[str | None, str | None, str | None]


def reported(*groups: str, name: str | None = None, id_: str | None = None) -> Reported:
    """Return the reported targets, which include a thing, and the reported group name and id."""
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
    """Groups of the targets and the reported name and id occur once each, in order."""
    assert expected == [*known_groups(*given)]


def test_the_names_among_targets() -> None:
    """A stored group may lack its ARN's prefix, and its name may contain a colon."""
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
    """The id that is tied to the only name is the job's, unless an id was reported."""
    assert expected == only_group_name(known_groups(*given))


def test_a_job_has_a_key_for_each_group_and_each_pair() -> None:
    """Pairs are keys because ListJobs can filter by name and id together."""
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
    """Pairs of many groups would be more rows than the rest of the index."""
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


def _name(number: int) -> str:
    return f"{number:0128}"


def _know(number: int) -> object:
    return known_groups(*reported(*(_name(number * 100 + group) for group in range(100))))


def _find(number: int) -> object:
    groups = ",".join(f'"name:{_name(number * 100 + group)}"' for group in range(100))
    return group_rows((1, "j1", 0, "n1", "{}", groups, None))


@pytest.mark.parametrize("compute", [_know, _find])
def test_jobs_of_many_groups_are_not_held_in_memory(compute: Callable[[int], object]) -> None:
    """Four thousand cached jobs, each with a hundred of the longest ARNs, would take a gigabyte."""
    tracemalloc.start()
    try:
        for number in range(50):
            compute(number)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100_000
