"""What `jobindex doctor` finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One thing that was looked at."""

    part: str
    """Of the set-up, such as `broker`."""
    told: str
    """What was found, in plain words."""
    advice: str | None = None
    """What to do about it; None where all is well."""
    is_unsure: bool = False
    """Whether it could not be looked at: all may be well."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the set-up that is looked at."""

    name: str

    def well(self, told: str) -> CheckResult:
        """Return a result with which all is well."""
        return CheckResult(part=self.name, told=told)

    def bad(self, told: str, advice: str) -> CheckResult:
        """Return a result about which something is to be done."""
        return CheckResult(part=self.name, told=told, advice=advice)

    def unsure(self, told: str, advice: str) -> CheckResult:
        """Return a result of what could not be looked at."""
        return CheckResult(part=self.name, told=told, advice=advice, is_unsure=True)
