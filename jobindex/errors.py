"""The errors of jobindex.

    JobindexError
    ├── InvalidRequestException       AWS's four errors of its reading operations:
    ├── ResourceNotFoundException     `str(error)` is the message for the client
    ├── ThrottlingException
    ├── ServiceUnavailableException
    ├── AccessDeniedException         what who asks may not do, or not in this way
    ├── UnknownClientError            who asks is not known, see `access/`:
    │   ├── MissingAuthenticationTokenException
    │   ├── IncompleteSignatureException
    │   ├── UnrecognizedClientException
    │   └── InvalidSignatureException
    ├── MessageError                  a message from the broker that cannot be understood
    ├── SettingsError                 settings that are wrong, all of them
    ├── KeysError                     a keys file that cannot be used
    ├── DatabaseRefusedError          a file that this version will not work with
    ├── DatabaseUnavailableError      a file that cannot be read or written just now
    ├── LeaseLostError                an index that another process ingests into now
    ├── BrokerError                   a broker with which no connection stands
    │   └── BrokerRefusedError        a broker that refuses it
    ├── BackupError                   a copy that cannot be made or put back
    └── ServiceError                  a service that refuses what a command asks
        ├── ServiceUnreachableError   a service that does not answer it
        ├── ThrottledError            a service that is asked too often
        └── RefusedError              a service that asks for another key

Those named …Exception bear AWS's names; `web/api/responses.py` holds the table from error to HTTP status.
"""

from collections.abc import Sequence


class JobindexError(Exception):
    """The base of every error that jobindex raises on purpose."""


class InvalidRequestException(JobindexError):
    """The request is not valid."""


class ResourceNotFoundException(JobindexError):
    """The specified resource does not exist."""


class ThrottlingException(JobindexError):
    """The rate exceeds the limit."""


class ServiceUnavailableException(JobindexError):
    """The service is temporarily unavailable."""


class AccessDeniedException(JobindexError):
    """Who asks may not do what is asked, or not in this way."""


class UnknownClientError(JobindexError):
    """Who asks is not known."""


class MissingAuthenticationTokenException(UnknownClientError):
    """The request is not signed."""


class IncompleteSignatureException(UnknownClientError):
    """The request's signature lacks a part, or one is malformed."""


class UnrecognizedClientException(UnknownClientError):
    """The request is signed by nobody known."""


class InvalidSignatureException(UnknownClientError):
    """The request's signature is not right for it, here and now."""


class MessageError(JobindexError):
    """A message that cannot be understood: names the field, its value and the value expected.

    `due_at` is the time in milliseconds from which it can be understood: its times are too far ahead until then. None
    if it never can.
    """

    def __init__(self, field: str, value: object, expected: str, due_at: int | None = None) -> None:
        super().__init__(f"{field}: {shown(value)} is not {expected}")
        self.due_at = due_at


class SettingsError(JobindexError):
    """One or more settings are wrong; the message has a line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class KeysError(JobindexError):
    """A keys file cannot be used; the message has a line for each reason, none of which holds a secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DatabaseRefusedError(JobindexError):
    """The database is not one that this version can work with; trying again does not help."""


class DatabaseUnavailableError(JobindexError):
    """The database cannot be read or written just now; trying again may help."""


class LeaseLostError(JobindexError):
    """Another process has the right to ingest into the index: nothing was written, and trying again does not help."""


class BrokerError(JobindexError):
    """No connection with the broker comes about, or it is lost."""


class BrokerRefusedError(BrokerError):
    """The broker refuses the connection; `code` is the reason code of MQTT 5 for why, whichever protocol is spoken."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class BackupError(JobindexError):
    """A copy of the database cannot be made, or not be put back; nothing was changed."""


class ServiceError(JobindexError):
    """The running service does not do what a command asks."""


class ServiceUnreachableError(ServiceError):
    """No service answers a command."""


class ThrottledError(ServiceError):
    """The service is asked too often, or has too much to do, just now."""


class RefusedError(ServiceError):
    """The service does not know the key of who asks, or, where it `is_known`, lets it do less."""

    def __init__(self, message: str, *, is_known: bool) -> None:
        super().__init__(message)
        self.is_known = is_known


def shown(value: object, limit: int = 100) -> str:
    """Return a value as a message or a log line shows it: escaped, and cut where it is long."""
    try:
        text = repr(value)
    except RecursionError:  # JSON may be nested deeper than Python's stack
        return f"a {type(value).__name__} nested too deep to show"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
