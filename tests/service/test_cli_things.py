"""`jobindex things`, `stuck` and `namespaces`: queries to a running service."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.commands import jobindex
from support.served_fleet import QUEUED_AT, served_fleet
from support.services import Service

from jobindex.cli.output import sparkline
from jobindex.durations import parse_duration, show_duration


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service with the fleet in its index."""
    with served_fleet(tmp_path_factory.mktemp("things")) as (service, _):
        yield service


def printed(service: Service, *arguments: object) -> str:
    """Return the output of a command that succeeds."""
    ended = jobindex(*arguments, "--endpoint", service.url)
    assert (0, "") == (ended.returncode, ended.stderr)
    return ended.stdout


def lines(service: Service, *arguments: object) -> list[dict[str, Any]]:
    """Return the JSON lines that a command prints."""
    return [json.loads(line) for line in printed(service, *arguments, "--json").splitlines()]


def test_things_are_listed_by_their_names(service: Service) -> None:
    """Things are sorted by name, and a note says if more follow."""
    assert "pump-1\npump-2\n" == printed(service, "things", "--prefix", "pump-")
    assert [{"thingName": "pump-1"}, {"thingName": "pump-2"}] == lines(service, "things", "--prefix", "pump-")
    ended = jobindex("things", "--limit", 1, "--endpoint", service.url)
    assert (0, "pump-1\n", "There are more than these 1: raise --limit.\n") == (
        ended.returncode,
        ended.stdout,
        ended.stderr,
    )


def test_a_thing_is_shown_with_what_waits_for_it(service: Service) -> None:
    """A thing is printed with its executions and its last complete list of pending ones."""
    shown = printed(service, "things", "pump-1")
    assert "waiting since: 2023-11-14T22:13:20Z\n" in shown
    assert "pending lists: acme: complete at 2023-11-14T22:13:29Z\n" in shown
    assert "executions:    0 of 1 known have ended: 1 QUEUED\n" in shown
    assert ["update-7", "QUEUED", "2023-11-14T22:13:20Z", "-"] == shown.splitlines()[-1].split()[:4]
    (told,) = lines(service, "things", "pump-1")
    assert ("pump-1", QUEUED_AT) == (told["thing"]["thingName"], told["thing"]["waitingSince"])
    assert ["update-7"] == [execution["jobId"] for execution in told["executions"]]


@pytest.mark.parametrize(
    "arguments",
    [("pump-1", "--prefix", "valve-"), ("pump-1", "--group", "pumps"), ("--prefix", "valve-", "--group", "pumps")],
)
def test_a_thing_with_a_prefix_is_a_wrong_call(arguments: tuple[str, ...]) -> None:
    """One of THING, a prefix and a group would have no effect, so two of them are a wrong call."""
    ended = jobindex("things", *arguments, HTTP_PORT=1)
    assert (2, "", True) == (ended.returncode, ended.stdout, "THING, --prefix, --group exclude" in ended.stderr)


def test_a_group_that_aws_has_not_listed_has_no_known_things(service: Service) -> None:
    """Standard error names the command that asks AWS; an unknown group is not found."""
    ended = jobindex("things", "--group", "pumps", "--endpoint", service.url)
    asks = "AWS has never listed this group completely: `jobindex sync --groups` asks for that.\n"
    assert (0, "", f"No things of this group found.\n{asks}") == (ended.returncode, ended.stdout, ended.stderr)
    ended = jobindex("things", "--group", "never", "--endpoint", service.url)
    assert (1, "", True) == (ended.returncode, ended.stdout, "Thing group never cannot be found" in ended.stderr)


def test_fields_of_a_thing_are_aligned(service: Service) -> None:
    """The fields of a thing are aligned, even if no pending list was complete."""
    shown = printed(service, "things", "pump-2")
    assert "pending lists: none is complete: " in shown
    assert {" "} == {line[14] for line in shown.partition("\n\n")[0].splitlines()}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("things", "--prefix", "zzz"), "No thing has a name with this prefix."),
        (("stuck", "--longer-than", "9000d"), "No execution has waited this long."),
        (("list", "--namespace-id", "none"), "No job passes the filters. `jobindex namespaces` lists the namespaces."),
        (("list", "--prefix", "zzz"), "No job passes the filters."),
    ],
)
def test_that_nothing_is_found_is_told(service: Service, arguments: tuple[str, ...], told: str) -> None:
    """An empty result is a sentence on standard error, and no line of JSON."""
    ended = jobindex(*arguments, "--endpoint", service.url)
    assert (0, "", f"{told}\n") == (ended.returncode, ended.stdout, ended.stderr)
    assert [] == lines(service, *arguments)


def test_what_waits_for_long_is_stuck(service: Service) -> None:
    """`stuck` lists executions that wait longer than the option, or the service's setting."""
    (told,) = lines(service, "stuck")
    assert ("pump-1", "update-7", QUEUED_AT) == (told["thingName"], told["jobId"], told["waitingSince"])
    (_, row) = printed(service, "stuck", "--longer-than", "30m", "--namespace-id", "acme").splitlines()
    assert ["pump-1", "update-7", "acme", "QUEUED", "2023-11-14T22:13:20Z"] == row.split()[:5]
    assert [] == lines(service, "stuck", "--longer-than", "9000d")
    assert [] == lines(service, "stuck", "--namespace-id", "other")
    ended = jobindex("stuck", "--longer-than", "soon", "--endpoint", service.url)
    assert (2, True) == (ended.returncode, "not a duration such as" in ended.stderr)


def test_namespaces_are_counted(service: Service) -> None:
    """Namespaces are counted, the jobs without one first, under a dash."""
    counted = {namespace.get("namespaceId"): namespace for namespace in lines(service, "namespaces")}
    assert [None, "acme", "other"] == list(counted)
    assert {"CANCELED": 1} == counted["other"]["jobs"]
    assert 2 == sum(counted["acme"]["jobs"].values())
    _, *rows = printed(service, "namespaces").splitlines()
    assert [["-", "1"], ["acme", "2"], ["other", "1"]] == [row.split()[:2] for row in rows]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("1.5h", 5400),
        ("90min", 5400),
        ("10 min", 600),
        (" 2d ", 172800),
        ("0", 0),
    ],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    """A duration has a unit, or is in seconds."""
    assert seconds == parse_duration(text)


@pytest.mark.parametrize("text", ["", "h", "2w", "-1h", "1h30m", "1,5h", "1e9", "٣"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """An invalid duration is refused, with examples of valid ones."""
    with pytest.raises(ValueError, match="is not a duration such as 90s, 30m, 2h or 1d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0s"), (59.9, "59s"), (61, "1m 01s"), (7500, "2h 05m"), (90000, "1d 01h")]
)
def test_durations_are_shown_in_two_units(seconds: float, text: str) -> None:
    """A duration is shown in its two greatest units."""
    assert text == show_duration(seconds)


def test_activity_is_a_line_of_blocks() -> None:
    """The height of a block is relative to the greatest number, and any activity shows."""
    assert " ▁▄█" == sparkline([0, 1, 50, 100, 0])
    assert "" == sparkline([0, 0])
