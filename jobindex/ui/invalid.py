"""What is wrong with a parameter that ListJobs does not have, in AWS's form."""

from jobindex.errors import InvalidRequestException


def invalid(name: str, value: object, constraint: str) -> InvalidRequestException:
    """Return the error that says that a parameter's value cannot be."""
    return InvalidRequestException(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
    )
