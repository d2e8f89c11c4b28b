"""ListJobs: its parameters within AWS's constraints, its pages, and its tokens."""

from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobindex.errors import InvalidRequestException
from jobindex.model import listing, page_tokens
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.listing import (
    Filters,
    ListJobsQuery,
    Position,
    decode_token,
    encode_token,
    parse_list_jobs,
)

CREATED_AT = datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC)
POSITION = Position(created_at=CREATED_AT, job_id="job-1_A")
FILTERS = Filters(
    namespace_id="aws-gg-deployment",
    status=JobStatus.IN_PROGRESS,
    target_selection=TargetSelection.CONTINUOUS,
    thing_group_id="8f82a106-6b1d-4331-8984-a84db5f6f8cb",
    thing_group_name="Floor:1",
)
TOKEN = encode_token(POSITION, FILTERS)
TOKEN_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
STATUSES = "[SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED, DELETION_IN_PROGRESS]"

POSITIONS = st.builds(
    Position,
    created_at=st.integers(min_value=0, max_value=4_102_444_800_000).map(
        lambda milliseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    ),
    job_id=st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True),
)
ALL_FILTERS = st.builds(
    Filters,
    namespace_id=st.none() | st.from_regex(r"[a-zA-Z0-9_-]+", fullmatch=True),
    status=st.none() | st.sampled_from(JobStatus),
    target_selection=st.none() | st.sampled_from(TargetSelection),
    thing_group_id=st.none() | st.from_regex(r"[a-zA-Z0-9\-]{1,128}", fullmatch=True),
    thing_group_name=st.none() | st.from_regex(r"[a-zA-Z0-9:_-]{1,128}", fullmatch=True),
)


def _refusal(parameters: list[tuple[str, str]]) -> str:
    with pytest.raises(InvalidRequestException) as caught:
        parse_list_jobs(parameters)
    return str(caught.value)


def test_no_parameters_ask_for_the_first_250_of_all_jobs() -> None:
    """A request without parameters has no filter and a page size of 250."""
    expected = ListJobsQuery(filters=Filters(), max_results=250, after=None)
    assert expected == parse_list_jobs([])


def test_every_parameter_is_understood() -> None:
    """All seven parameters make one query."""
    expected = ListJobsQuery(filters=FILTERS, max_results=7, after=POSITION)
    assert expected == parse_list_jobs(
        [
            ("maxResults", "7"),
            ("namespaceId", "aws-gg-deployment"),
            ("nextToken", TOKEN),
            ("status", "IN_PROGRESS"),
            ("targetSelection", "CONTINUOUS"),
            ("thingGroupId", "8f82a106-6b1d-4331-8984-a84db5f6f8cb"),
            ("thingGroupName", "Floor:1"),
        ]
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("maxResults", "1", ListJobsQuery(max_results=1)),
        ("maxResults", "250", ListJobsQuery(max_results=250)),
        ("namespaceId", "n" * 1000, ListJobsQuery(filters=Filters(namespace_id="n" * 1000))),
        ("thingGroupId", "g" * 128, ListJobsQuery(filters=Filters(thing_group_id="g" * 128))),
        ("thingGroupName", "g" * 128, ListJobsQuery(filters=Filters(thing_group_name="g" * 128))),
        *(("status", status.value, ListJobsQuery(filters=Filters(status=status))) for status in JobStatus),
        *(
            ("targetSelection", selection.value, ListJobsQuery(filters=Filters(target_selection=selection)))
            for selection in TargetSelection
        ),
    ],
)
def test_a_parameter_at_its_limit_is_taken(name: str, value: str, expected: ListJobsQuery) -> None:
    """The longest and greatest values of AWS's constraints are accepted."""
    assert expected == parse_list_jobs([(name, value)])


def test_unknown_parameters_are_ignored() -> None:
    """An unknown parameter changes nothing, even if repeated; names are case-sensitive."""
    parameters = [("x-id", "ListJobs"), ("maxresults", "0"), ("a", "1"), ("a", "2"), ("", ""), ("maxResults", "3")]
    assert ListJobsQuery(max_results=3) == parse_list_jobs(parameters)


NO_INTEGER = "Member must be an integer"
LEAST, GREATEST = (
    "Member must have value greater than or equal to 1",
    "Member must have value less than or equal to 250",
)
TOO_SHORT = "Member must have length greater than or equal to 1"
NAMESPACE_PATTERN = "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
GROUP_ID_PATTERN = r"Member must satisfy regular expression pattern: [a-zA-Z0-9\-]+"
GROUP_NAME_PATTERN = "Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"
NO_STATUS = f"Member must satisfy enum value set: {STATUSES}"
NO_SELECTION = "Member must satisfy enum value set: [CONTINUOUS, SNAPSHOT]"


OUTSIDE: list[tuple[str, str, str]] = [
    *(("maxResults", value, GREATEST) for value in ("251", "10000", "9" * 4000)),
    *(("maxResults", value, LEAST) for value in ("0", "-1", "-0", "000", "-" + "9" * 4000)),
    *(
        ("maxResults", value, NO_INTEGER)
        for value in ("", " ", "ten", "1.5", "1e2", "+5", " 5", "5 ", "5\n", "0x10", "1_0", "٣", "²", "9" * 5000)
    ),
    *(("namespaceId", value, NAMESPACE_PATTERN) for value in ("", "bad ns", "a:b", "é", "a\n", "+", "#", "a/b")),
    *(("thingGroupId", value, GROUP_ID_PATTERN) for value in ("a_b", "a:b", "a b", "é", "a\n")),
    *(("thingGroupName", value, GROUP_NAME_PATTERN) for value in ("a.b", "a b", "é", "a\n", "%")),
    *(("thingGroup" + end, "g" * 129, "Member must have length less than or equal to 128") for end in ("Id", "Name")),
    *(
        ("status", value, NO_STATUS)
        for value in ("", "BOGUS", "completed", "QUEUED", "CANCELLATION_IN_PROGRESS", "DELETED", "COMPLETED ")
    ),
    *(("targetSelection", value, NO_SELECTION) for value in ("", "snapshot", "BOTH", "SNAPSHOT,CONTINUOUS")),
    ("nextToken", "", TOO_SHORT),
    ("nextToken", "a" * 513, "Member must have length less than or equal to 512"),
    ("nextToken", "a" * 100_000, "Member must have length less than or equal to 512"),
]


@pytest.mark.parametrize(("name", "value", "constraint"), OUTSIDE, ids=range(len(OUTSIDE)))
def test_a_parameter_outside_its_constraint_is_refused(name: str, value: str, constraint: str) -> None:
    """The message contains the value, the parameter and the constraint, in AWS's format."""
    expected = f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
    assert expected == _refusal([(name, value)])


@pytest.mark.parametrize(
    ("name", "pattern"), [("thingGroupId", GROUP_ID_PATTERN), ("thingGroupName", GROUP_NAME_PATTERN)]
)
def test_a_value_may_fail_several_constraints(name: str, pattern: str) -> None:
    """A thing group that is empty, or long and with strange signs, fails length and pattern at once."""
    for value, length in (("", TOO_SHORT), ("." * 129, "Member must have length less than or equal to 128")):
        problem = f"Value '{value}' at '{name}' failed to satisfy constraint: "
        assert f"2 validation errors detected: {problem}{length}; {problem}{pattern}" == _refusal([(name, value)])


def test_all_problems_are_told_in_one_answer() -> None:
    """One message has a part for every invalid parameter."""
    values = {
        "maxResults": ("251", GREATEST),
        "namespaceId": ("bad ns", NAMESPACE_PATTERN),
        "nextToken": ("", TOO_SHORT),
        "status": ("BOGUS", NO_STATUS),
        "targetSelection": ("BOTH", NO_SELECTION),
        "thingGroupId": ("a_b", GROUP_ID_PATTERN),
        "thingGroupName": ("a.b", GROUP_NAME_PATTERN),
    }
    problems = "; ".join(
        f"Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
        for name, (value, constraint) in values.items()
    )
    expected = f"7 validation errors detected: {problems}"
    assert expected == _refusal([(name, value) for name, (value, _) in values.items()])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxResults", "5"),
        ("namespaceId", "n"),
        ("nextToken", TOKEN),
        ("status", "COMPLETED"),
        ("targetSelection", "SNAPSHOT"),
        ("thingGroupId", "g"),
        ("thingGroupName", "g"),
    ],
)
def test_a_parameter_given_twice_is_refused(name: str, value: str) -> None:
    """A repeated parameter is refused even if its values are equal."""
    refusal = _refusal([(name, value), ("other", "1"), (name, value)])
    assert refusal.startswith("1 validation error detected: Value ")
    assert refusal.endswith(f" at '{name}' failed to satisfy constraint: Member must not be repeated")


def test_a_parameter_given_twice_is_one_problem_among_others() -> None:
    """A repeated parameter and an invalid one are reported together."""
    refusal = _refusal([("status", "COMPLETED"), ("maxResults", "0"), ("status", "CANCELED")])
    assert refusal.startswith("2 validation errors detected: Value ")
    assert "at 'status' failed to satisfy constraint: Member must not be repeated" in refusal
    assert f"Value '0' at 'maxResults' failed to satisfy constraint: {LEAST}" in refusal


NAMES = ("maxResults", "namespaceId", "nextToken", "status", "targetSelection", "thingGroupId", "thingGroupName")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES) | st.text(max_size=3),
            st.text(max_size=8) | st.sampled_from(["1", "n", "COMPLETED", "SNAPSHOT", TOKEN]),
        ),
        max_size=8,
    )
)
def test_any_parameters_are_taken_or_refused(parameters: list[tuple[str, str]]) -> None:
    """Any query string makes a query within the limits or an InvalidRequestException."""
    with suppress(InvalidRequestException):
        assert 1 <= parse_list_jobs(parameters).max_results <= 250


@given(position=POSITIONS, filters=ALL_FILTERS)
@example(position=Position(created_at=datetime(1, 1, 1, tzinfo=UTC), job_id="j"), filters=Filters())
def test_a_token_brings_back_its_position(position: Position, filters: Filters) -> None:
    """A token contains its position for the same filters, and needs no quoting."""
    token = encode_token(position, filters)
    assert position == decode_token(token, filters)
    assert len(token) <= 512
    assert set(token) <= set(TOKEN_ALPHABET)


def test_a_token_that_an_answer_held_stays_valid() -> None:
    """A token of this version is valid as long as the version is supported."""
    assert decode_token("AQAAAVoldI0_am9iLTFfQYpAVATJhUXF", FILTERS) == POSITION
    assert decode_token("AQAAAVoldI0_am9iLTFfQaEJqVjG4NpX", Filters()) == POSITION


def test_the_longest_token_stays_within_its_length() -> None:
    """A token for the longest job id and filters has at most 512 characters."""
    filters = Filters(namespace_id="n" * 10_000, thing_group_id="g" * 128, thing_group_name="g" * 128)
    position = Position(created_at=CREATED_AT, job_id="j" * 64)
    token = encode_token(position, filters)
    assert len(token) <= 512
    assert position == decode_token(token, filters)


def _assert_refused(token: str, filters: Filters = FILTERS) -> None:
    with pytest.raises(InvalidRequestException) as caught:
        decode_token(token, filters)
    expected = f"Invalid nextToken: '{token}' is malformed, of an unknown version, or made for other filters"
    assert expected == str(caught.value)


@settings(max_examples=5 * settings().max_examples // 2)
@given(position=POSITIONS, made_for=ALL_FILTERS, used_for=ALL_FILTERS)
def test_a_token_is_refused_for_any_other_filters(position: Position, made_for: Filters, used_for: Filters) -> None:
    """A token is valid only for its own filters."""
    token = encode_token(position, made_for)
    if made_for != used_for:
        _assert_refused(token, used_for)


def test_a_token_is_refused_when_one_filter_comes_goes_or_moves() -> None:
    """Each combination of filters has its own tokens, even if another filter has the same value."""
    combinations = [
        Filters(
            namespace_id=namespace_id,
            status=status,
            target_selection=target_selection,
            thing_group_id=thing_group_id,
            thing_group_name=thing_group_name,
        )
        for namespace_id, status, target_selection, thing_group_id, thing_group_name in product(
            (None, "a"), (None, JobStatus.CANCELED), (None, TargetSelection.SNAPSHOT), (None, "a"), (None, "a")
        )
    ]
    for made_for, used_for in product(combinations, combinations):
        token = encode_token(POSITION, made_for)
        if made_for == used_for:
            assert decode_token(token, used_for) == POSITION
        else:
            _assert_refused(token, used_for)


def test_a_token_goes_on_with_another_page_size() -> None:
    """A token is valid for any `maxResults`."""
    token = encode_token(POSITION, Filters())
    expected = ListJobsQuery(max_results=3, after=POSITION)
    assert expected == parse_list_jobs([("maxResults", "3"), ("nextToken", token)])


def test_a_token_with_any_character_changed_is_refused() -> None:
    """Another character at any position makes the token malformed."""
    for index, character in product(range(len(TOKEN)), [*TOKEN_ALPHABET, "+", "/", "=", " ", "\0", "\n", "é", "日"]):
        if character != TOKEN[index]:
            _assert_refused(TOKEN[:index] + character + TOKEN[index + 1 :])


def test_a_token_with_a_character_more_or_less_is_refused() -> None:
    """An inserted or deleted character at any position makes the token malformed."""
    for index in range(len(TOKEN)):
        _assert_refused(TOKEN[:index] + TOKEN[index + 1 :])
    for index, character in product(range(len(TOKEN) + 1), "A_=\n é"):
        _assert_refused(TOKEN[:index] + character + TOKEN[index:])


def test_a_token_cut_short_is_refused() -> None:
    """A token cut to any length, from either end, is malformed."""
    for length in range(1, len(TOKEN)):
        _assert_refused(TOKEN[:length])
        _assert_refused(TOKEN[length:])


@pytest.mark.parametrize(
    "token",
    ["", "0", "a", "=", "====", "null", "None", "AQ", "A" * 512, "é", "日本語", "\0", "\ud800", f"{TOKEN}=", TOKEN * 2],
    ids=ascii,
)
def test_garbage_is_no_token(token: str) -> None:
    """Text that the service never issued is refused."""
    _assert_refused(token)


@given(st.text(max_size=40) | st.text(alphabet=TOKEN_ALPHABET, max_size=200))
def test_any_text_is_no_token(token: str) -> None:
    """Random text is refused as a token."""
    _assert_refused(token)


def _with_digest(body: bytes) -> str:
    return urlsafe_b64encode(body + page_tokens._digest(body, listing._bound(FILTERS))).decode().rstrip("=")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\x01" + bytes(7),
        b"\x00" + bytes(8) + b"J",
        b"\x02" + bytes(8) + b"J",
        b"\x01" + bytes(8) + b"\xff",
        b"\x01" + (2**62).to_bytes(8, "big") + b"J",
        b"\x01" + (-(2**62)).to_bytes(8, "big", signed=True) + b"J",
    ],
    ids=["empty", "version", "short", "version 0", "version 2", "no UTF-8", "far future", "far past"],
)
def test_a_token_made_by_hand_is_refused(body: bytes) -> None:
    """A token of another version, or with a valid digest of an invalid position, is refused."""
    _assert_refused(_with_digest(body))


def test_refused_tokens_are_refused_as_parameters() -> None:
    """A token is checked together with the filters of its request."""
    expected = f"Invalid nextToken: '{TOKEN}' is malformed, of an unknown version, or made for other filters"
    assert expected == _refusal([("nextToken", TOKEN), ("status", "COMPLETED")])


# Tokens of the other operations: the position is a text, and the parameter has another name

BOUND = ("/things/t/jobs", None, "SUCCEEDED")


@given(position=st.text(min_size=1, max_size=100))
@example(position="é日")
def test_a_token_of_a_text_brings_it_back(position: str) -> None:
    """A token is valid for the same query; without a position there is no token."""
    token = page_tokens.seal_text(position, BOUND)
    assert token is not None
    assert position == page_tokens.unseal_text(token, BOUND)
    with pytest.raises(InvalidRequestException):
        page_tokens.unseal_text(token, (*BOUND, "x"))
    assert page_tokens.seal_text(None, BOUND) is None


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_the_first_page_is_asked_for(token: str | None) -> None:
    """An empty token counts as a missing one."""
    assert page_tokens.unseal_text(token, BOUND) is None


@pytest.mark.parametrize("token", ["x", page_tokens.seal(b"\xff", BOUND)], ids=["malformed", "no UTF-8"])
@pytest.mark.parametrize(("name", "named"), [({}, "nextToken"), ({"name": "after"}, "after")])
def test_a_refused_token_is_named_as_its_parameter(token: str, name: dict[str, str], named: str) -> None:
    """The message names the parameter that contains the token."""
    expected = f"Invalid {named}: '{token}' is malformed, of an unknown version, or made for other filters"
    with pytest.raises(InvalidRequestException) as caught:
        page_tokens.unseal_text(token, BOUND, **name)
    assert expected == str(caught.value)
