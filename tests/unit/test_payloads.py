"""JSON payloads: each member becomes a domain value, or an error that names it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobindex.errors import MessageError
from jobindex.messages.payloads import (
    MAX_PAYLOAD_BYTES,
    Members,
    check_same,
    parse_payload,
    read_arn_name,
    read_arns,
    read_bounded_text,
    read_choice,
    read_flag,
    read_list,
    read_number,
    read_object,
    read_resource,
    read_text,
    read_time,
    read_times,
)
from jobindex.model.jobs import JOB_ID

TIME = "a time in epoch seconds or milliseconds, from 0 to the year 2100"


def _payload_error(payload: bytes) -> str:
    with pytest.raises(MessageError) as caught:
        parse_payload(payload)
    return str(caught.value)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": 01}',
        b'{"a": +1}',
        b'{"a": "\n"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"\x00",
        b"\xff\xfe\xfd",
        b"hello",
    ],
)
def test_a_payload_that_is_no_json_in_utf_8_is_refused(payload: bytes) -> None:
    """A payload must be JSON as RFC 8259 defines it."""
    assert _payload_error(payload).startswith(f"payload: {payload!r} is not JSON in UTF-8 (")


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"[]", "[]"),
        (b'[{"jobId": "J"}]', "[{'jobId': 'J'}]"),
        (b"null", "None"),
        (b"true", "True"),
        (b"1517017906", "1517017906"),
        (b'"{}"', "'{}'"),
    ],
)
def test_a_payload_that_is_no_object_is_refused(payload: bytes, shown: str) -> None:
    """A payload must be a JSON object."""
    assert f"payload: {shown} is not a JSON object" == _payload_error(payload)


def test_a_payload_of_128_kib_is_read_and_a_byte_more_is_refused() -> None:
    """A longer payload is refused without being parsed."""
    value = "x" * 131063
    payload = b'{"a": "' + value.encode() + b'"}'
    assert len(payload) == MAX_PAYLOAD_BYTES
    assert {"a": value} == parse_payload(payload)
    for size in (131073, 204800):
        assert f"payload: {size} is not at most 131072 bytes" == _payload_error(payload.ljust(size))


@pytest.mark.parametrize("depth", [100, 900, 990, 1000, 1020, 1023, 1024, 1025, 2000, 65000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_payload_nested_deep_is_refused_and_stops_nothing(opening: bytes, closing: bytes, depth: int) -> None:
    """A payload of any depth is parsed or refused."""
    nested = opening * depth + b"1" + closing * depth
    message = b'{"status": ' + nested + b"}"
    for payload in (nested, message):
        with pytest.raises(MessageError):
            read_text(parse_payload(payload), "status" if payload is message else "a")


def test_null_is_absent() -> None:
    """A null member counts as absent, for every kind of member."""
    members = parse_payload(b'{"a": null}')
    for name in ("a", "b"):
        nothing: list[object] = [None] * 9
        assert nothing == [
            read_object(members, name),
            read_text(members, name, "", JOB_ID),
            read_bounded_text(members, name, "", 1),
            read_flag(members, name),
            read_number(members, name),
            read_choice(members, name, "", {}),
            read_time(members, name),
            read_arns(members, name),
            read_resource(members, name),
        ]
        assert read_arn_name(members, name, "", "job", JOB_ID) is None
        assert not read_list(members, name)
        check_same(members, name, "J", "", JOB_ID)
    assert not read_times({"createdAt": None}, "")


def test_members_are_read_as_what_they_should_be() -> None:
    """Each kind of member becomes its value."""
    job, thing, group = (
        "arn:aws:iot:us-east-1:123456789012:job/J",
        "arn:aws:iot:us-east-1:123456789012:thing/a:b",
        "arn:aws-cn:iot:::thinggroup/x/y",
    )
    members = {
        "text": "x",
        "flag": False,
        "number": 0,
        "choice": "b",
        "object": {"inner": [{}, {"deep": 1}]},
        "same": "J",
        "arn": job,
        "arns": [thing, group, thing],
        "queuedAt": "1",
        "lastUpdatedAt": 2,
    }
    expected = ("x", "x", "J", False, 0, 2, ("job", "J"), "J", {thing: ("thing", "a:b"), group: ("thinggroup", "x/y")})
    assert expected == (
        read_text(members, "text"),
        read_bounded_text(members, "text", "", 1),
        read_text(members, "same", "", JOB_ID),
        read_flag(members, "flag"),
        read_number(members, "number"),
        read_choice(members, "choice", "", {"a": 1, "b": 2}),
        read_resource(members, "arn"),
        read_arn_name(members, "arn", "", "job", JOB_ID),
        read_arns(members, "arns"),
    )
    check_same(members, "same", "J", "", JOB_ID)
    inner = read_object(members, "object")
    assert inner is not None
    assert [{}, {"deep": 1}] == read_list(inner, "inner")
    assert [("lastUpdatedAt", 2000), ("queuedAt", 1000)] == list(read_times(members, "").items())


def _read(value: object) -> int | None:
    return read_time(parse_payload(json.dumps({"a": value}).encode()), "a")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (-0.0, 0),
        (0.001, 1),
        (1517017906, 1517017906000),
        (1517017906.0, 1517017906000),
        (1486687079.743, 1486687079743),
        (1486687079743, 1486687079743),
        (1486687079743.2, 1486687079743),
        (1.234567890123e12, 1234567890123),
        (99_999_999, 99_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (4_102_444_799.999, 4_102_444_799_999),
        (4_102_444_800, 4_102_444_800_000),
        (4_102_444_800_000, 4_102_444_800_000),
        ("0", 0),
        ("1517017906", 1517017906000),
        ("1486687079.743", 1486687079743),
        ("1486687079743", 1486687079743),
        ("20201103", 20201103000),  # eight digits are seconds, not a date
        ("2020-11-03T22:50:53.741000+02:00", 1604436653741),  # as the AWS CLI prints it
        ("2020-11-03T20:50:53.741Z", 1604436653741),
        ("2020-11-03T20:50:53.741", 1604436653741),
        ("2020-11-03 20:50:53.741", 1604436653741),
        ("2020-11-03T20:50:53.7414+00:00", 1604436653741),
        ("2020-11-03T20:50:53,741Z", 1604436653741),
        ("20201103T205053Z", 1604436653000),
        ("2020-11-03T15:50-0500", 1604436600000),
        ("2020-11-03", 1604361600000),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T02:00:00+02:00", 0),
        ("2100-01-01T00:00:00Z", 4_102_444_800_000),
    ],
    ids=repr,
)
def test_a_time_is_seconds_or_milliseconds_or_iso_8601(value: object, expected: int) -> None:
    """A number below 1e11 is seconds, any other milliseconds; text without an offset is UTC."""
    read = _read(value)
    assert (int, expected) == (type(read), read)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.001,
        -1517017906000,
        4_102_444_801,
        99_999_999_999,
        4_102_444_800_001,
        4_102_444_800_000_000,
        2**63,
        2**64,
        10**300,
        1.7e308,
        -1.7e308,
        True,
        "",
        " ",
        "-1",
        "+1",
        "1e9",
        "1_000",
        " 1517017906",
        "1517017906\n",
        "\u0661",
        "0x10",
        "NaN",
        "9" * 21,
        "9" * 100_000,
        "4102444801",
        "now",
        "2020-11-03T",
        "2020-13-03T00:00:00Z",
        "2020-11-03T25:00:00Z",
        "2020-11-03\x0020:50:53Z",
        "2020-11-03T20:50:53.741Z and more",
        "03/11/2020",
        "Tue, 03 Nov 2020 20:50:53 GMT",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+02:00",
        "2100-01-01T00:00:00.001Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        [],
        {},
    ],
    ids=lambda value: repr(value)[:40],
)
def test_an_absurd_time_is_refused(value: object) -> None:
    """A time before 1970, after the year 2100, or of another type is an error."""
    with pytest.raises(MessageError) as caught:
        _read(value)
    assert str(caught.value).endswith(f" is not {TIME}")


@given(st.integers(min_value=0, max_value=4_102_444_800_000), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_every_millisecond_is_read_exactly_from_each_form(milliseconds: int, offset: int) -> None:
    """Fractional seconds, quoted digits and ISO 8601 text with any offset lose no millisecond."""
    time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    forms: list[object] = [
        milliseconds / 1000,
        f"{milliseconds // 1000}.{milliseconds % 1000:03}",
        time.astimezone(timezone(timedelta(minutes=offset))).isoformat(),
        time.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds"),
        time.isoformat().replace("+00:00", "Z"),
    ]
    if milliseconds >= 10**11:
        forms += [milliseconds, str(milliseconds)]
    if milliseconds % 1000 == 0:
        forms += [milliseconds // 1000, str(milliseconds // 1000)]
    assert [milliseconds] * len(forms) == [read_time({"a": form}, "a") for form in forms]


@pytest.mark.parametrize("value", [0, 1, 2**53 + 1, 2**63 - 1])
def test_a_number_is_an_integer_up_to_2_to_the_63(value: int) -> None:
    """Every integer from 0 to 2^63-1 is parsed exactly."""
    assert value == read_number(parse_payload(json.dumps({"a": value}).encode()), "a")


@pytest.mark.parametrize("value", [-1, 2**63, 2**64, -(2**63), 10**30, 1.5, True, False, "1", [], {}])
def test_other_numbers_are_refused(value: object) -> None:
    """A number that is negative, too great, fractional or of another type is an error."""
    with pytest.raises(MessageError) as caught:
        read_number(parse_payload(json.dumps({"a": value}).encode()), "a")
    assert str(caught.value).endswith(" is not an integer from 0 to 9223372036854775807")


ARN = "arn:aws:iot:us-east-1:123456789012:"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, "a: 5 is not an ARN"),
        ("", "a: '' is not an ARN"),
        ("job/J", "a: 'job/J' is not an ARN"),
        (f"{ARN}job", f"a: '{ARN}job' is not an ARN"),
        (f"{ARN}job/", f"a: '{ARN}job/' is not an ARN"),
        (f" {ARN}job/J", f"a: ' {ARN}job/J' is not an ARN"),
        (f"{ARN}thing/J", f"a: '{ARN}thing/J' is not the ARN of a job"),
        (f"{ARN}job/a:b", f"a: '{ARN}job/a:b' is not the ARN of a job"),
        (f"{ARN}job/J\n", rf"a: '{ARN}job/J\n' is not the ARN of a job"),
        ("arn:aws:iot:\0:123456789012:job/J", r"a: 'arn:aws:iot:\x00:123456789012:job/J' is not an ARN"),
        (f"{ARN}job/J/x", f"a: '{ARN}job/J/x' is not the ARN of a job"),
    ],
)
def test_an_arn_names_what_it_should(value: object, reason: str) -> None:
    """An ARN of another resource type, or with a name outside its pattern, is an error."""
    with pytest.raises(MessageError) as caught:
        read_arn_name({"a": value}, "a", "", "job", JOB_ID)
    assert reason == str(caught.value)


READS: list[tuple[Callable[[Members], object], str]] = [
    (lambda members: read_object(members, "a", "job."), "job.a: 5 is not an object"),
    (lambda members: read_list(members, "a", "job."), "job.a: 5 is not a list"),
    (lambda members: read_text(members, "a", "job."), "job.a: 5 is not a string"),
    (
        lambda members: read_text(members, "text", "job.", JOB_ID),
        "job.text: 'x y' is not a match of [a-zA-Z0-9_-]{1,64}",
    ),
    (
        lambda members: check_same(members, "text", "J", "job.", JOB_ID),
        "job.text: 'x y' is not a match of [a-zA-Z0-9_-]{1,64}",
    ),
    (lambda members: check_same(members, "id", "J", "job.", JOB_ID), "job.id: 'K' is not 'J' as in the topic"),
    (lambda members: read_flag(members, "a", "job."), "job.a: 5 is not true or false"),
    (
        lambda members: read_number(members, "id", "job."),
        "job.id: 'K' is not an integer from 0 to 9223372036854775807",
    ),
    (lambda members: read_choice(members, "id", "job.", {"A": 1, "B": 2}), "job.id: 'K' is not one of A, B"),
    (lambda members: read_choice(members, "a", "job.", {"A": 1}), "job.a: 5 is not a string"),
    (lambda members: read_time(members, "id", "job."), f"job.id: 'K' is not {TIME}"),
    (lambda members: read_times({"queuedAt": members["id"]}, "job."), f"job.queuedAt: 'K' is not {TIME}"),
    (lambda members: read_arns(members, "a", "job."), "job.a: 5 is not a list of ARNs"),
    (lambda members: read_arns(members, "list", "job."), "job.list[0]: 5 is not an ARN"),
    (lambda members: read_resource(members, "id", "job."), "job.id: 'K' is not an ARN"),
    (
        lambda members: read_bounded_text(members, "text", "job.", 2),
        "job.text: 'x y' is not a text of at most 2 characters, without NUL",
    ),
    (
        lambda members: read_bounded_text(members, "nul", "job.", 2),
        r"job.nul: '\x00' is not a text of at most 2 characters, without NUL",
    ),
    (
        lambda members: read_bounded_text(members, "a", "job.", 2),
        "job.a: 5 is not a text of at most 2 characters, without NUL",
    ),
]


@pytest.mark.parametrize(("read", "reason"), READS, ids=range(len(READS)))
def test_a_wrong_member_is_named(read: Callable[[Members], object], reason: str) -> None:
    """An error contains the member's path, its value and the expected one."""
    members = {"a": 5, "id": "K", "list": [5], "text": "x y", "nul": "\0"}
    with pytest.raises(MessageError) as caught:
        read(members)
    assert reason == str(caught.value)
