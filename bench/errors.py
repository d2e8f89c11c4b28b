"""What ends a run of the bench."""


class BenchError(Exception):
    """Something did not start, or did not come within its time."""
