"""Answers of AWS's operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAnswer:
    """An answer; its times are as AWS writes them."""

    members: Mapping[str, Any]
    answered_at: int
    """AWS's `Date` of the answer, in milliseconds; our own time if it has none."""
    as_of: int
    """The time in milliseconds by AWS's clock, at which the call had not been sent yet: the answer shows a
    later state."""
    is_from_jobindex: bool = False
    """Whether another jobindex has answered, which may not know every job of AWS."""
