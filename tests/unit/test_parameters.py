"""Parameters: all problems of a request are reported at once, in AWS's words, and schemas agree with them."""

import re

import pytest
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from jobindex.errors import InvalidRequestException
from jobindex.model.parameters import (
    JOB_ID,
    NAMESPACE_ID,
    PAGE_SIZE,
    THING_GROUP_ID,
    THING_GROUP_NAME,
    THING_NAME,
    Choice,
    Constraint,
    Integer,
    Several,
    Text,
    parse_parameters,
)
from jobindex.model.views import ExecutionState

NUMBER = Integer(least=-2, greatest=3)
TIMES = Several(of=Integer(least=0, greatest=9), least=1, greatest=2)


def refusal(constraints: dict[str, Constraint], *parameters: tuple[str, str]) -> str:
    """Return the message that refuses parameters."""
    with pytest.raises(InvalidRequestException) as caught:
        parse_parameters(constraints, parameters)
    return str(caught.value)


def test_what_was_given_comes_back_in_its_type() -> None:
    """Values are numbers, members of enums or texts, or their defaults."""
    values = parse_parameters(
        {"n": NUMBER, "size": PAGE_SIZE, "state": Choice(ExecutionState), "job": JOB_ID, "ids": TIMES, "x": Text()},
        [("n", "-2"), ("state", "ENDED"), ("job", "a"), ("ids", "1"), ("ids", "2"), ("other", "1"), ("other", "2")],
    )
    assert (-2, 250, [1, 2]) == (values.integer("n"), values.integer("size"), values.integers("ids"))
    assert ExecutionState.ENDED is values.choice("state", ExecutionState)
    assert ("a", "", None) == (values.text("job"), values.text("x"), values.optional("x"))
    assert [9] == parse_parameters({"ids": TIMES}, [("ids", "9")]).integers("ids")
    several = Several(of=JOB_ID, least=1, greatest=2)
    assert ["a", "b"] == parse_parameters({"jobId": several}, [("jobId", "a"), ("jobId", "b")]).texts("jobId")
    assert [] == parse_parameters({"ids": Several(of=NUMBER, least=0, greatest=2)}, []).integers("ids")


@pytest.mark.parametrize(
    ("constraint", "given", "expected"),
    [
        (NUMBER, ["-3"], "Member must have value greater than or equal to -2"),
        (NUMBER, ["4"], "Member must have value less than or equal to 3"),
        (NUMBER, [""], "Member must be an integer"),
        (NUMBER, ["1", "1"], "Value '['1', '1']' at 'p' failed to satisfy constraint: Member must not be repeated"),
        (JOB_ID, ["j" * 65], "Member must have length less than or equal to 64"),
        (JOB_ID, ["j:"], "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"),
        (Choice(("a", "b")), ["c"], "Member must satisfy enum value set: [a, b]"),
        (TIMES, [], "Value '0' at 'p' failed to satisfy constraint: Member must be given 1 to 2 times"),
        (TIMES, ["1", "2", "3"], "Value '3' at 'p' failed to satisfy constraint: Member must be given 1 to 2 times"),
        (
            TIMES,
            ["1", "10"],
            "Value '10' at 'p' failed to satisfy constraint: Member must have value less than or equal to 9",
        ),
    ],
)
def test_what_is_outside_is_named(constraint: Constraint, given: list[str], expected: str) -> None:
    """The message contains the parameter, the value and the constraint."""
    assert refusal({"p": constraint}, *(("p", value) for value in given)).endswith(expected)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Problems have the order of the parameters in the request."""
    told = refusal({"a": NUMBER, "b": JOB_ID, "c": TIMES}, ("b", ""), ("a", "x"))
    assert told.startswith("4 validation errors detected: Value '' at 'b' ")
    assert ["b", "b", "a", "c"] == re.findall(r"at '(\w)'", told)


def test_an_unknown_parameter_is_ignored_or_refused() -> None:
    """A refusal contains all other problems and the names of the known parameters."""
    constraints: dict[str, Constraint] = {"jobId": JOB_ID, "limit": NUMBER}
    given_values = [("jobid", "x"), ("limit", "x")]
    assert refusal(constraints, *given_values).startswith("1 validation error detected: Value 'x' at 'limit'")
    with pytest.raises(InvalidRequestException) as caught:
        parse_parameters(constraints, given_values, refuses_unknown=True)
    told = (
        "Value 'x' at 'jobid' failed to satisfy constraint: Member must be one of the known parameters: jobId, limit; "
    )
    assert str(caught.value).startswith(f"2 validation errors detected: {told}")
    with pytest.raises(InvalidRequestException, match=r"known parameters: none$"):
        parse_parameters({}, given_values[:1], refuses_unknown=True)


def test_a_required_parameter_is_missed_in_awss_words() -> None:
    """AWS calls a missing parameter null."""
    expected = "Value null at 'a' failed to satisfy constraint: Member must not be null"
    assert f"1 validation error detected: {expected}" == refusal({"a": Text(is_required=True)})


@pytest.mark.parametrize("constraint", [JOB_ID, THING_NAME, NAMESPACE_ID, THING_GROUP_ID, THING_GROUP_NAME])
@given(value=st.text(max_size=200) | st.from_regex("[a-zA-Z0-9:_-]{0,130}", fullmatch=True))
def test_a_text_and_its_schema_agree(constraint: Text, value: str) -> None:
    """A text is accepted exactly if it matches its schema."""
    schema = constraint.schema()
    matches = re.search(str(schema["pattern"]).replace("$", r"\Z"), value) is not None and int(
        str(schema.get("minLength", 0))
    ) <= len(value) <= int(str(schema.get("maxLength", 1000)))
    assert matches is not any(constraint.problems(value))


@pytest.mark.parametrize(
    ("constraint", "schema"),
    [
        (NUMBER, {"type": "integer", "minimum": -2, "maximum": 3}),
        (PAGE_SIZE, {"type": "integer", "minimum": 1, "maximum": 250, "default": 250}),
        (Text(), {"type": "string"}),
        (JOB_ID, {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$", "minLength": 1, "maxLength": 64}),
        (Choice(ExecutionState), {"type": "string", "enum": [state.value for state in ExecutionState]}),
        (TIMES, {"type": "array", "items": TIMES.of.schema(), "minItems": 1, "maxItems": 2}),
    ],
)
def test_a_constraint_is_described_as_a_json_schema(constraint: Constraint, schema: dict[str, object]) -> None:
    """The schema contains exactly the constraint, as clients are generated from /openapi.json."""
    assert schema == constraint.schema()


@pytest.mark.parametrize(
    ("constraint", "shape"),
    [
        (JOB_ID, "JobId"),
        (THING_NAME, "ThingName"),
        (NAMESPACE_ID, "NamespaceId"),
        (THING_GROUP_ID, "ThingGroupId"),
        (THING_GROUP_NAME, "ThingGroupName"),
        (PAGE_SIZE, "LaserMaxResults"),
    ],
)
def test_the_constraints_are_those_of_aws(constraint: Text | Integer, shape: str) -> None:
    """AWS's service model has the same patterns and limits."""
    metadata = get_session().get_service_model("iot").shape_for(shape).metadata
    if isinstance(constraint, Integer):
        assert (metadata["min"], metadata["max"]) == (constraint.least, constraint.greatest)
    else:
        found = (metadata.get("min", 0), metadata.get("max"), metadata["pattern"])
        assert found == (constraint.least_length, constraint.greatest_length, constraint.pattern)
