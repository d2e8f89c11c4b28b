"""The error that ends a run of the benchmark."""


class BenchError(Exception):
    """A process did not start, or a timeout expired."""
