"""The settings of the sync with AWS."""

import pytest

from jobindex.aws.plan import OPERATIONS
from jobindex.config.aws import SETTINGS, read_aws
from jobindex.config.reader import SettingsReader
from jobindex.config.settings import read_settings
from jobindex.errors import SettingsError


def problems(name: str, value: str) -> tuple[str, ...]:
    """Return the problems of a setting, named without its prefix."""
    with pytest.raises(SettingsError) as raised:
        read_settings({f"JOBINDEX_{name}": value}, is_terminal=False)
    return raised.value.problems


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("AWS_SYNC", "on", "'on' is not one of off, fill, check"),
        ("AWS_ENDPOINT_URL", "other:8080", "'other:8080' is not http[s]://host[:port][/path]"),
        ("AWS_ENDPOINT_URL", "http://", "'http://' is not http[s]://host[:port][/path]"),
        ("AWS_ENDPOINT_URL", "http://other?x=1", "'http://other?x=1' is not http[s]://host[:port][/path]"),
        *(
            ("AWS_ENDPOINT_URL", url, f"{url!r} is not http[s]://host[:port][/path]")
            for url in (
                "http://my_host:80",
                "http://h:99999",
                "http://h:0",
                "http://h:x",
                "http://a b",
                "http://-x",
                "http://u:p@h",
            )
        ),
        ("AWS_SYNC_NAMESPACES", "acme,a b", "'a b' is not a namespace"),
        ("AWS_SYNC_RATE", "0", "'0' is not a rate in calls per second, such as 5 or DescribeJob=2"),
        ("AWS_SYNC_RATE", "fast", "'fast' is not a rate in calls per second, such as 5 or DescribeJob=2"),
        ("AWS_SYNC_RATE", "5,=", "'=' is not a rate in calls per second, such as 5 or DescribeJob=2"),
        ("AWS_SYNC_RATE", "5,List Jobs=2", f"'List Jobs' is not one of {', '.join(OPERATIONS)}"),
        ("AWS_SYNC_RATE", "5,6", "'6' is the second rate for the same operation"),
        ("AWS_SYNC_RATE", "ListJobs=2", "'ListJobs=2' has no rate for the operations that it does not name"),
        ("AWS_SYNC_DIFFERENCES", "keep", "'keep' is not one of repair, report"),
        ("AWS_SYNC_ENDED_DAYS", "-1", "'-1' is not a number of days from 0 to 99999"),
    ],
)
def test_wrong_values_are_named(name: str, value: str, expected: str) -> None:
    """Each problem names the setting and the value."""
    assert (f"JOBINDEX_{name}: {expected}",) == problems(name, value)


@pytest.mark.parametrize(("mode", "has_problem"), [("off", False), ("fill", True), ("check", True)])
def test_only_a_sync_needs_boto3(mode: str, has_problem: bool) -> None:  # noqa: FBT001
    """The problem says how to install it."""
    reader = SettingsReader(SETTINGS, {"JOBINDEX_AWS_SYNC": mode}, {setting.name for setting in SETTINGS})
    assert mode == read_aws(reader, is_installed=lambda: False).mode
    expected = [f"JOBINDEX_AWS_SYNC: {mode!r} needs boto3, which is not installed: pip install boto3"]
    assert expected * has_problem == reader.problems
