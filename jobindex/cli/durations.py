"""Durations as people write and read them."""

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)")


def parse_duration(text: str) -> int:
    """Return the whole seconds in `90`, `90s`, `30m`, `1.5h` or `2d`.

    Raises:
        ValueError: it is no duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration such as 90s, 30m, 2h or 1d")
    return round(float(match[1]) * _UNITS[match[2] or "s"])


def show_duration(seconds: float) -> str:
    """Return seconds in their two greatest units, such as `2h 05m`."""
    left = max(0, int(seconds))
    if left < 60:
        return f"{left}s"
    if left < 3600:
        return f"{left // 60}m {left % 60:02}s"
    if left < 86400:
        return f"{left // 3600}h {left % 3600 // 60:02}m"
    return f"{left // 86400}d {left % 86400 // 3600:02}h"
