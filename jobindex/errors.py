"""The errors of jobindex.

    JobindexError
    ├── InvalidRequestException       of AWS's read operations:
    ├── ResourceNotFoundException     `str(error)` is the message for the client
    ├── ThrottlingException
    ├── ServiceUnavailableException
    ├── AccessDeniedException         of access control, see `access/`
    ├── UnknownClientError
    │   ├── MissingAuthenticationTokenException
    │   ├── IncompleteSignatureException
    │   ├── UnrecognizedClientException
    │   └── InvalidSignatureException
    ├── MessageError                  of the messages from the broker
    ├── SettingsError
    ├── KeysError
    ├── DatabaseRefusedError          of the database
    ├── DatabaseUnavailableError
    ├── DataRefusedError
    ├── LeaseLostError
    ├── ClockError
    ├── BrokerError                   of the connection to the broker
    │   └── BrokerRefusedError
    ├── BackupError
    └── ServiceError                  of commands that query the service
        ├── ServiceUnreachableError
        ├── ThrottledError
        └── RefusedError

The names that end in Exception are AWS's; `web/api/responses.py` has the table from error to HTTP status.
"""

from collections.abc import Sequence


class JobindexError(Exception):
    """The base of jobindex's errors."""


class InvalidRequestException(JobindexError):
    """The request is not valid."""


class ResourceNotFoundException(JobindexError):
    """The specified resource does not exist."""


class ThrottlingException(JobindexError):
    """The rate exceeds the limit."""


class ServiceUnavailableException(JobindexError):
    """The service is temporarily unavailable."""


class AccessDeniedException(JobindexError):
    """The client may not do this, or not in this way."""


class UnknownClientError(JobindexError):
    """The client is not known."""


class MissingAuthenticationTokenException(UnknownClientError):
    """The request is not signed."""


class IncompleteSignatureException(UnknownClientError):
    """The request's signature lacks a part, or one is malformed."""


class UnrecognizedClientException(UnknownClientError):
    """The request is signed with an unknown key."""


class InvalidSignatureException(UnknownClientError):
    """The signature does not match the request, or is not valid here or now."""


class MessageError(JobindexError):
    """A message cannot be understood; the error names the field, its value and the expected value.

    `due_at` is the time at which its times are no longer too far ahead, in epoch milliseconds; None if it never can be
    understood.
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
    """A keys file cannot be used; the message has a line for each reason, without secrets."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DatabaseRefusedError(JobindexError):
    """This version cannot use the database; a retry does not help."""


class DatabaseUnavailableError(JobindexError):
    """The database cannot be read or written now; a retry may help."""


class DataRefusedError(JobindexError):
    """The database refuses this data, but not all data; nothing was written, and a retry does not help."""


class LeaseLostError(JobindexError):
    """Another process has the lease to ingest; nothing was written, and a retry does not help."""


class ClockError(JobindexError):
    """The clock cannot be right, so no message is read."""


class BrokerError(JobindexError):
    """The connection to the broker fails, or is lost."""


class BrokerRefusedError(BrokerError):
    """The broker refuses the connection; `code` is the reason code of MQTT 5, with MQTT 3.1.1 too."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class AwsError(JobindexError):
    """A call to AWS fails; the message names the operation."""


class AwsThrottledError(AwsError):
    """AWS throttles the operation; a later retry helps."""


class AwsDeniedError(AwsError):
    """The credentials do not permit the operation; a retry does not help until they do."""


class AwsCredentialsError(AwsError):
    """There are no credentials, or AWS does not accept them: for any operation."""


class AwsNotFoundError(AwsError):
    """AWS does not have the job, execution, thing group or deployment."""


class AwsInvalidError(AwsError):
    """AWS refuses a parameter, such as a `nextToken`."""


class AwsUnreachableError(AwsError):
    """No answer arrives in time, or the network fails; a later retry may help."""


class AwsFailedError(AwsError):
    """AWS answers with an error of its own, or something that is not an answer; a later retry may help."""


class AwsSourceError(AwsError):
    """AWS answers for another account or region than the messages report."""


class BackupError(JobindexError):
    """A copy of the database cannot be made or restored; nothing was changed."""


class ServiceError(JobindexError):
    """The running service does not fulfil a request of a command."""


class ServiceUnreachableError(ServiceError):
    """No service answers."""


class ThrottledError(ServiceError):
    """The service receives too many requests, or is overloaded."""


class RefusedError(ServiceError):
    """The service does not know the key, or (`is_known`) does not permit the request."""

    def __init__(self, message: str, *, is_known: bool) -> None:
        super().__init__(message)
        self.is_known = is_known


def shown(value: object, limit: int = 100) -> str:
    """Return a value for a message or a log line: escaped, and cut if it is long."""
    try:
        text = repr(value)
    except RecursionError:  # JSON may be nested deeper than Python's stack
        return f"a {type(value).__name__} nested too deep to show"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
