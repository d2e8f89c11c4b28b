"""JSON payloads: each member becomes a domain value, or an error that names it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobindex.errors import MessageError
from jobindex.messages.payloads import MAX_PAYLOAD_BYTES, Members, parse_payload
from jobindex.model.jobs import JOB_ID, from_milliseconds

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
    """What RFC 8259 does not allow is no payload."""
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
    """JSON of another kind than an object is no payload."""
    assert f"payload: {shown} is not a JSON object" == _payload_error(payload)


def test_a_payload_of_128_kib_is_read_and_a_byte_more_is_refused() -> None:
    """The greatest payload is 128 KiB; beyond it nothing is looked at."""
    value = "x" * 131063
    payload = b'{"a": "' + value.encode() + b'"}'
    assert len(payload) == MAX_PAYLOAD_BYTES
    assert value == parse_payload(payload).value("a")
    for size in (131073, 204800):
        assert f"payload: {size} is not a number of bytes up to 131072" == _payload_error(payload.ljust(size))


@pytest.mark.parametrize("depth", [100, 900, 990, 1000, 1020, 1023, 1024, 1025, 2000, 65000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_payload_nested_deep_is_refused_and_stops_nothing(opening: bytes, closing: bytes, depth: int) -> None:
    """However deep a payload is nested, it is read or refused."""
    nested = opening * depth + b"1" + closing * depth
    message = b'{"status": ' + nested + b"}"
    for payload in (nested, message):
        with pytest.raises(MessageError):
            parse_payload(payload).text("status" if payload is message else "a")


def test_null_is_absent() -> None:
    """A member that is null reads as one that is not there, whatever it should be."""
    members = parse_payload(b'{"a": null}')
    assert "a" not in members
    assert "b" not in members
    nothing: list[object] = [None] * 8
    assert nothing == [
        members.value("a"),
        members.object("a"),
        members.text("a", JOB_ID),
        members.flag("a"),
        members.number("a"),
        members.choice("a", {}),
        members.time("a"),
        members.arns("a"),
    ]
    assert members.arn_name("a", "job", JOB_ID) is None
    assert not list(members.objects("a"))
    members.same("a", "J", JOB_ID)


def test_members_are_read_as_what_they_should_be() -> None:
    """Each kind of member comes out as its value, and a nested one knows its path."""
    members = Members(
        {
            "text": "x",
            "flag": False,
            "number": 0,
            "choice": "b",
            "object": {"inner": [{}, {"deep": 1}]},
            "same": "J",
            "arn": "arn:aws:iot:us-east-1:123456789012:job/J",
            "arns": ["arn:aws:iot:us-east-1:123456789012:thing/a:b", "arn:aws-cn:iot:::thinggroup/x/y"],
        }
    )
    expected = ("x", "J", False, 0, 2, "J", [("thing", "a:b"), ("thinggroup", "x/y")])
    assert expected == (
        members.text("text"),
        members.text("same", JOB_ID),
        members.flag("flag"),
        members.number("number"),
        members.choice("choice", {"a": 1, "b": 2}),
        members.arn_name("arn", "job", JOB_ID),
        members.arns("arns"),
    )
    assert "flag" in members
    members.same("same", "J", JOB_ID)
    inner = members.object("object")
    assert inner is not None
    paths = ["object.inner", "object.inner[0].deep", "object.inner[1].deep"]
    assert paths == [inner.field("inner"), *(item.field("deep") for item in inner.objects("inner"))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-0.0, datetime(1970, 1, 1, tzinfo=UTC)),
        (0.001, datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)),
        (1517017906, datetime(2018, 1, 27, 1, 51, 46, tzinfo=UTC)),
        (1517017906.0, datetime(2018, 1, 27, 1, 51, 46, tzinfo=UTC)),
        (1486687079.743, datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC)),
        (1486687079743, datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC)),
        (1486687079743.2, datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC)),
        (1.234567890123e12, datetime(2009, 2, 13, 23, 31, 30, 123000, tzinfo=UTC)),
        (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (4_102_444_799.999, datetime(2099, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        (4_102_444_800, datetime(2100, 1, 1, tzinfo=UTC)),
        (4_102_444_800_000, datetime(2100, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_seconds_or_milliseconds(value: float, expected: datetime) -> None:
    """A value below 1e11 is seconds, any other milliseconds; both are kept as UTC to the millisecond."""
    assert expected == parse_payload(json.dumps({"a": value}).encode()).time("a")


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
        "1517017906",
        "2018-01-27T01:51:46Z",
        [],
        {},
    ],
)
def test_an_absurd_time_is_refused(value: object) -> None:
    """A time before 1970, behind the year 2100, or of another type is an error."""
    with pytest.raises(MessageError) as caught:
        parse_payload(json.dumps({"a": value}).encode()).time("a")
    assert str(caught.value).endswith(f" is not {TIME}")


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_every_millisecond_is_read_exactly_from_seconds(milliseconds: int) -> None:
    """Seconds with a fraction, as AWS writes them, lose no millisecond; nor do milliseconds."""
    expected = from_milliseconds(milliseconds)
    assert expected == Members({"a": milliseconds / 1000}).time("a")
    if milliseconds >= 10**11:
        assert expected == Members({"a": milliseconds}).time("a")


@pytest.mark.parametrize("value", [0, 1, 2**53 + 1, 2**63 - 1])
def test_a_number_is_an_integer_up_to_2_to_the_63(value: int) -> None:
    """Every integer from 0 to 2^63-1 is read exactly."""
    assert value == parse_payload(json.dumps({"a": value}).encode()).number("a")


@pytest.mark.parametrize("value", [-1, 2**63, 2**64, -(2**63), 10**30, 1.5, True, False, "1", [], {}])
def test_other_numbers_are_refused(value: object) -> None:
    """A number that is negative, too great, fractional or of another type is an error."""
    with pytest.raises(MessageError) as caught:
        parse_payload(json.dumps({"a": value}).encode()).number("a")
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
        Members({"a": value}).arn_name("a", "job", JOB_ID)
    assert reason == str(caught.value)


def test_errors_name_the_member_by_its_path() -> None:
    """An error inside nested objects and lists says where it stands."""
    jobs = Members({"jobs": {"QUEUED": [{}, {"queuedAt": "x"}], "IN_PROGRESS": [5]}}).object("jobs")
    assert jobs is not None
    with pytest.raises(MessageError) as caught:
        list(jobs.objects("QUEUED"))[1].time("queuedAt")
    assert f"jobs.QUEUED[1].queuedAt: 'x' is not {TIME}" == str(caught.value)
    with pytest.raises(MessageError) as caught:
        list(jobs.objects("IN_PROGRESS"))
    expected = "jobs.IN_PROGRESS[0]: 5 is not an object"
    assert expected == str(caught.value)


READS: list[tuple[Callable[[Members], object], str]] = [
    (lambda members: members.object("a"), "job.a: 5 is not an object"),
    (lambda members: list(members.objects("a")), "job.a: 5 is not a list"),
    (lambda members: members.text("a"), "job.a: 5 is not a string"),
    (lambda members: members.text("text", JOB_ID), "job.text: 'x y' is not a match of [a-zA-Z0-9_-]{1,64}"),
    (lambda members: members.same("text", "J", JOB_ID), "job.text: 'x y' is not a match of [a-zA-Z0-9_-]{1,64}"),
    (lambda members: members.same("id", "J", JOB_ID), "job.id: 'K' is not 'J', as the topic says"),
    (lambda members: members.flag("a"), "job.a: 5 is not true or false"),
    (lambda members: members.number("id"), "job.id: 'K' is not an integer from 0 to 9223372036854775807"),
    (lambda members: members.choice("id", {"A": 1, "B": 2}), "job.id: 'K' is not one of A, B"),
    (lambda members: members.choice("a", {"A": 1}), "job.a: 5 is not a string"),
    (lambda members: members.arns("a"), "job.a: 5 is not a list of ARNs"),
    (lambda members: members.arns("list"), "job.list[0]: 5 is not an ARN"),
]


@pytest.mark.parametrize(("read", "reason"), READS, ids=range(len(READS)))
def test_a_wrong_member_is_told(read: Callable[[Members], object], reason: str) -> None:
    """Every kind of member says what it should have been."""
    members = Members({"a": 5, "id": "K", "list": [5], "text": "x y"}, "job.")
    with pytest.raises(MessageError) as caught:
        read(members)
    assert reason == str(caught.value)
