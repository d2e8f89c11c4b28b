"""What `jobindex doctor` finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    part: str
    """Of the set-up, such as `broker`."""
    told: str
    """What was found, in plain words."""
    advice: str | None = None
    """What to do about it; None where all is well."""
