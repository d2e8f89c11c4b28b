"""The plan of the sync: its operations, and the values of its settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

SyncMode = Literal["off", "fill", "check"]

OPERATIONS = (
    "DescribeEventConfigurations",
    "DescribeJob",
    "DescribeJobExecution",
    "GetDeployment",
    "ListDeployments",
    "ListJobExecutionsForJob",
    "ListJobs",
    "ListThingGroups",
    "ListThingsInThingGroup",
)
"""Those that the sync calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSync:
    """The values of the settings of the sync."""

    mode: SyncMode
    endpoint_url: str | None
    """Of all services; None for AWS's own."""
    namespaces: tuple[str, ...]
    """Those whose jobs are listed, in addition to the index's."""
    rates: Mapping[str, float]
    """Calls per second by operation; "" for the others."""
    repairs: bool
    """Whether checks repair the differences that they find."""
    keeps_ended: timedelta
    """A job that ended longer ago is not deleted, though AWS no longer has it."""
