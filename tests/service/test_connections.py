"""The limit of open connections."""

import subprocess
import sys

import pytest

_ALLOWED = """
import resource, sys
from jobindex.web.connections import allowed_connections
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(allowed_connections(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (256, 10_000, (2000, 4100, 10_000)),
        (5000, 10_000, (2000, 5000, 10_000)),
        (256, 600, (250, 600, 600)),
        (64, 64, (16, 64, 64)),
    ],
    ids=["raised", "enough", "raised as far as it goes", "none to spare"],
)
def test_as_many_connections_are_allowed_as_there_are_descriptors(
    soft: int, hard: int, expected: tuple[int, int, int]
) -> None:
    """The soft limit of descriptors is raised as far as the hard one allows, and never lowered."""
    command = [sys.executable, "-c", _ALLOWED, str(soft), str(hard), "2000"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert expected == tuple(map(int, told.split()))
