"""The keys file: whether it has keys, and its permissions."""

from collections.abc import Iterator
from pathlib import Path

from jobindex.access.keys import Keys
from jobindex.access.keys_file import is_open_to_others
from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.cli.output import counted

_KEYS = Part("keys")


def examine_keys(path: Path | None, keys: Keys | None) -> Iterator[CheckResult]:
    """Yield the results; None means that no key is required."""
    if path is None or keys is None:
        yield _KEYS.ok("no key is required: every client that reaches the service can read everything")
        return
    if keys.all:
        yield _KEYS.ok(f"{path} has {counted(len(keys.all), 'key')}; the service reads it at its start and on SIGHUP")
    else:
        yield _KEYS.problem(f"{path} has no keys, so no client has access", "Add one with `jobindex keys add NAME`.")
    if is_open_to_others(path):
        yield _KEYS.problem(
            f"{path} is open to every user of this machine", f"Run `chmod o= {path}`: the file contains secrets."
        )
