"""Domain values: ranks, patterns, times, and the messages of errors."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobindex.errors import JobindexError, MessageError, SettingsError
from jobindex.model.jobs import (
    EXECUTION_STATUS_RANK,
    JOB_ID,
    JOB_STATUS_RANK,
    NAMESPACE_ID,
    THING_GROUP_ID,
    THING_GROUP_NAME,
    THING_NAME,
    from_milliseconds,
    to_milliseconds,
)


def test_job_statuses_rank_as_a_job_advances() -> None:
    """Job statuses rank from SCHEDULED to DELETION_IN_PROGRESS, all above a missing status."""
    expected = {"SCHEDULED": 1, "IN_PROGRESS": 2, "COMPLETED": 3, "CANCELED": 4, "DELETION_IN_PROGRESS": 5}
    assert expected == JOB_STATUS_RANK


def test_execution_statuses_rank_as_an_execution_advances() -> None:
    """Execution statuses rank from QUEUED to DELETED."""
    expected = {
        "QUEUED": 1,
        "IN_PROGRESS": 2,
        "TIMED_OUT": 3,
        "FAILED": 4,
        "REJECTED": 5,
        "REMOVED": 6,
        "CANCELED": 7,
        "SUCCEEDED": 8,
        "DELETED": 9,
    }
    assert expected == EXECUTION_STATUS_RANK


@pytest.mark.parametrize(
    ("pattern", "longest", "others"),
    [
        (THING_NAME, 128, ":_-"),
        (JOB_ID, 64, "_-"),
        (NAMESPACE_ID, 128, "_-"),
        (THING_GROUP_NAME, 128, ":_-"),
        (THING_GROUP_ID, 128, "-"),
    ],
    ids=["thing name", "job id", "namespace id", "thing group name", "thing group id"],
)
def test_names_match_the_patterns_of_aws(pattern: re.Pattern[str], longest: int, others: str) -> None:
    """Names consist of ASCII letters, digits and a few signs, up to AWS's length."""
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + others
    assert set(allowed) == {chr(code) for code in range(0x3000) if pattern.fullmatch(chr(code))}
    assert not pattern.fullmatch("")
    assert not pattern.fullmatch("a\n")
    assert pattern.fullmatch("a" * longest)
    assert not pattern.fullmatch("a" * (longest + 1))


@pytest.mark.parametrize(
    ("milliseconds", "time"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1486687079743, datetime(2017, 2, 10, 0, 37, 59, 743000, tzinfo=UTC)),
        (4102444800000, datetime(2100, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
    ],
)
def test_times_are_milliseconds_since_the_epoch(milliseconds: int, time: datetime) -> None:
    """A UTC time and its milliseconds since the epoch convert into each other."""
    assert time == from_milliseconds(milliseconds)
    assert milliseconds == to_milliseconds(time)


def test_milliseconds_do_not_depend_on_the_zone_and_drop_what_is_finer() -> None:
    """The same moment in another zone is the same number; microseconds are cut off."""
    time = datetime(2017, 2, 10, 2, 37, 59, 743999, tzinfo=timezone(timedelta(hours=2)))
    expected = 1486687079743
    assert expected == to_milliseconds(time)


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_milliseconds_survive_the_way_through_a_time(milliseconds: int) -> None:
    """Every millisecond from the year 1 to 9999 survives the conversion to a time and back."""
    assert milliseconds == to_milliseconds(from_milliseconds(milliseconds))


def test_a_message_error_names_field_value_and_expectation() -> None:
    """A MessageError contains the field, its value and the expected one."""
    error = MessageError("execution.queuedAt", "soon", "a time")
    expected = "execution.queuedAt: 'soon' is not a time"
    assert expected == str(error)
    assert isinstance(error, JobindexError)


def test_a_message_error_cuts_a_long_value_short() -> None:
    """A value of more than a hundred characters is cut and shown with its length."""
    assert f"f: '{'x' * 98}' is not y" == str(MessageError("f", "x" * 98, "y"))
    assert f"f: '{'x' * 99}… (101 characters) is not y" == str(MessageError("f", "x" * 99, "y"))


def test_a_settings_error_has_a_line_for_each_problem() -> None:
    """A SettingsError keeps its problems and shows each on its own line."""
    problems = ("JOBINDEX_HTTP_PORT: wrong", "JOBINDEX_MQTT_URL: wrong")
    error = SettingsError([*problems])
    assert "\n".join(problems) == str(error)
    assert problems == error.problems
