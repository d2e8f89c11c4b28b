"""Who is let in, and who could read the keys."""

from collections.abc import Iterator
from pathlib import Path

from jobindex.access.keys import Keys
from jobindex.access.keys_file import is_open_to_others
from jobindex.cli.checks.check_result import CheckResult, Part

_KEYS = Part("keys")


def examine_keys(path: Path | None, keys: Keys | None) -> Iterator[CheckResult]:
    """Yield what is found of the keys file; None where nobody is asked for a key."""
    if path is None or keys is None:
        yield _KEYS.well("none are asked for: whoever reaches the service reads all")
        return
    if keys.all:
        yield _KEYS.well(f"{path} has {len(keys.all)}; the service goes by them once it is started, or gets SIGHUP")
    else:
        yield _KEYS.bad(f"{path} has none, so nobody is let in", "Add one by `jobindex keys add NAME`.")
    if is_open_to_others(path):
        yield _KEYS.bad(f"{path} is open to every user of this machine", f"`chmod o= {path}`: it holds secrets.")
