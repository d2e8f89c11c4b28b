"""Reads variables one by one, and keeps what is wrong with them."""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path

from jobindex.config.names import PREFIX, SECRETS
from jobindex.durations import parse_duration

_DAY_SECONDS = 24 * 3600


class Reader:
    """Reads variables and collects what is wrong with them; a wrong one reads as its default."""

    def __init__(self, environment: Mapping[str, str], needed: Collection[str]) -> None:
        self._environment = environment
        self._needed = needed
        self.problems: list[str] = []

    def needs(self, name: str) -> bool:
        """Tell whether what is wrong with a setting counts."""
        return name in self._needed or name.removesuffix("_FILE") in self._needed

    def problem(self, name: str, problem: str) -> None:
        """Note what is wrong with a setting."""
        if self.needs(name):
            self.problems.append(f"{PREFIX}{name}: {problem}")

    def value(self, name: str) -> str | None:
        """Return a setting, or the content of the file that `…_FILE` names; None where neither is set."""
        value = self._environment.get(PREFIX + name) or None
        if value is not None and not value.isprintable():
            self.problem(name, "holds a character that cannot be printed, or that is not UTF-8")
            return None
        path = self._environment.get(f"{PREFIX}{name}_FILE") if name in SECRETS else None
        if not path:
            return value
        if value is not None:
            self.problem(name, f"is set, and {PREFIX}{name}_FILE too")
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            self.problem(f"{name}_FILE", f"{path!r} cannot be read: {error}")
            return None

    def text(self, name: str, default: str, pattern: str, expected: str) -> str:
        """Return a setting that matches a pattern in full."""
        value = self.value(name)
        if value is None:
            return default
        if re.fullmatch(pattern, value) is None:
            self.problem(name, f"{value!r} is not {expected}")
            return default
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Return a setting that is one of some."""
        value = self.value(name) or default
        if value not in choices:
            self.problem(name, f"{value!r} is not one of {', '.join(filter(None, choices))}")
            return default
        return value

    def number(self, name: str, default: int) -> int:
        """Return a whole number from 0."""
        value = self.value(name) or str(default)
        if re.fullmatch(r"[0-9]{1,15}", value) is None:
            self.problem(name, f"{value!r} is not a whole number")
            return default
        return int(value)

    def days(self, name: str) -> timedelta | None:
        """Return a number of days; None where it is not set."""
        value = self.value(name)
        if value is None:
            return None
        if re.fullmatch(r"[0-9]{1,5}", value) is None or int(value) == 0:
            self.problem(name, f"{value!r} is not a number of days from 1 to 99999")
            return None
        return timedelta(days=int(value))

    def seconds(self, name: str, default: timedelta) -> timedelta:
        """Return a number of seconds."""
        value = self.value(name)
        if value is None:
            return default
        if re.fullmatch(r"[0-9]{1,9}", value) is None or int(value) == 0:
            self.problem(name, f"{value!r} is not a number of seconds from 1 to 999999999")
            return default
        return timedelta(seconds=int(value))

    def duration(self, name: str, default: timedelta) -> timedelta:
        """Return a duration of a second to a day, with its unit."""
        value = self.value(name)
        if value is None:
            return default
        try:
            seconds = parse_duration(value)
        except ValueError:
            seconds = 0
        if not 1 <= seconds <= _DAY_SECONDS:
            self.problem(name, f"{value!r} is not a duration from 1s to 1d, such as 10s or 2m")
            return default
        return timedelta(seconds=seconds)

    def path(self, name: str) -> Path | None:
        """Return the path of a file; None where it is not set."""
        value = self.value(name)
        return None if value is None else Path(value)

    def rate(self, name: str) -> float | None:
        """Return a number a second; None where it is not set."""
        value = self.value(name)
        if value is None:
            return None
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", value) is None or float(value) == 0:
            self.problem(name, f"{value!r} is not a number from 0.001 to 999999, such as 50 or 0.5")
            return None
        return float(value)

    def port(self, name: str, default: int) -> int:
        """Return a port."""
        value = self.value(name) or str(default)
        if re.fullmatch(r"[0-9]{1,5}", value) is None or int(value) > 65535:
            self.problem(name, f"{value!r} is not a port from 0 to 65535")
            return default
        return int(value)
