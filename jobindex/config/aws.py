"""The settings of the sync with AWS; its credentials come from the SDK's own chain."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from importlib.util import find_spec
from typing import Literal
from urllib.parse import urlsplit

from jobindex.aws.plan import OPERATIONS, AwsSync, SyncMode
from jobindex.config.parsers import choice, comma_separated, matching
from jobindex.config.reader import Setting, SettingsReader
from jobindex.model.jobs import NAMESPACE_ID

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"  # botocore refuses others
_ENDPOINT = re.compile(rf"https?://{_HOST}(?::[0-9]+)?(?:/[^\s?#]*)?")
_RATE = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")


def _parse_endpoint(text: str) -> str:
    if _ENDPOINT.fullmatch(text) is None or not _has_possible_port(text):
        raise ValueError(f"{text!r} is not http[s]://host[:port][/path]")
    return text.rstrip("/")


def _has_possible_port(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:  # it is greater than 65535
        return False


def _parse_rates(text: str) -> Mapping[str, float]:
    rates: dict[str, float] = {}
    problems = []
    for item in text.split(","):
        operation, _, rate = item.strip().rpartition("=")
        if _RATE.fullmatch(rate) is None or float(rate) == 0:
            problems.append(f"{item.strip()!r} is not a rate in calls per second, such as 5 or DescribeJob=2")
        elif operation and operation not in OPERATIONS:
            problems.append(f"{operation!r} is not one of {', '.join(OPERATIONS)}")
        elif operation in rates:
            problems.append(f"{item.strip()!r} is the second rate for the same operation")
        else:
            rates[operation] = float(rate)
    if "" not in rates and not problems:
        problems.append(f"{text!r} has no rate for the operations that it does not name")
    if problems:
        raise ValueError(*problems)
    return rates


def _namespace_problem(text: str) -> str | None:
    return None if NAMESPACE_ID.fullmatch(text) else f"{text!r} is not a namespace"


SYNC: Setting[SyncMode] = Setting(
    "AWS_SYNC",
    choice(("off", "fill", "check")),
    default="off",
    help="Whether to `fill` the index once from AWS's own answers, or also to `check` it against them regularly.",
)
ENDPOINT_URL = Setting(
    "AWS_ENDPOINT_URL",
    _parse_endpoint,
    unset="AWS's own, for the region",
    help="The URL that the sync calls instead of AWS, for example of another jobindex.",
)
SYNC_NAMESPACES: Setting[tuple[str, ...]] = Setting(
    "AWS_SYNC_NAMESPACES",
    comma_separated(_namespace_problem),
    default="aws-gg-deployment",
    help="The namespaces whose jobs the sync lists, in addition to those that the index has.",
)
SYNC_RATE = Setting(
    "AWS_SYNC_RATE",
    _parse_rates,
    default="5",
    help="The greatest number of calls per second to each operation: half of AWS's default quota. `5,DescribeJob=2` "
    "gives an operation its own.",
)
SYNC_DIFFERENCES: Setting[Literal["repair", "report"]] = Setting(
    "AWS_SYNC_DIFFERENCES",
    choice(("repair", "report")),
    default="repair",
    help="Whether a check repairs the differences that it finds, or only reports them.",
)
SYNC_ENDED_DAYS = Setting(
    "AWS_SYNC_ENDED_DAYS",
    matching(r"[0-9]{1,5}", "a number of days from 0 to 99999", lambda n: timedelta(days=int(n))),
    default="30",
    help="A job that AWS no longer has is deleted, unless it ended more than this number of days ago.",
)
SETTINGS: Sequence[Setting[object]] = (
    *(SYNC, ENDPOINT_URL, SYNC_NAMESPACES, SYNC_RATE, SYNC_DIFFERENCES, SYNC_ENDED_DAYS),
)


def read_aws(
    reader: SettingsReader, *, is_installed: Callable[[], bool] = lambda: find_spec("boto3") is not None
) -> AwsSync:
    """Return the values; a sync without boto3 is a problem."""
    mode = reader[SYNC]
    if mode != "off" and not is_installed():
        reader.problem(SYNC, f"{mode!r} needs boto3, which is not installed: pip install boto3")
    return AwsSync(
        mode=mode,
        endpoint_url=reader.get(ENDPOINT_URL),
        namespaces=reader[SYNC_NAMESPACES],
        rates=reader[SYNC_RATE],
        repairs=reader[SYNC_DIFFERENCES] == "repair",
        keeps_ended=reader[SYNC_ENDED_DAYS],
    )
