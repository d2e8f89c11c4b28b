"""The results of `jobindex doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of a check."""

    part: str
    """Such as `broker`."""
    text: str
    advice: str | None = None
    """The remedy; None without a problem."""
    is_unsure: bool = False
    """Whether the check could not be made."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the installation."""

    name: str

    def ok(self, text: str) -> CheckResult:
        """Return a result without a problem."""
        return CheckResult(part=self.name, text=text)

    def problem(self, text: str, advice: str) -> CheckResult:
        """Return a problem."""
        return CheckResult(part=self.name, text=text, advice=advice)

    def unsure(self, text: str, advice: str) -> CheckResult:
        """Return the result of a check that could not be made."""
        return CheckResult(part=self.name, text=text, advice=advice, is_unsure=True)
