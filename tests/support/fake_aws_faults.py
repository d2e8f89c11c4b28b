"""The faults of a fake AWS: each applies to the calls of one operation, or of all."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from support.aws_wire import Refused
from support.fake_aws_pages import read_token


class Delivery(Enum):
    """How an answer is sent."""

    WHOLE = "whole"
    NEVER = "never"
    DRIPPING = "dripping"
    CUT = "cut"


@dataclass(slots=True, kw_only=True)
class Call:
    """A call to an operation."""

    time: float
    """By `time.monotonic()`."""
    operation: str
    parameters: Mapping[str, Any]
    """As the client gave them."""
    error: str | None = None
    """The name of the error that it was answered with."""
    ignored: set[str] = field(default_factory=set)
    """Parameters that the answer does not regard."""
    delivery: Delivery = Delivery.WHOLE
    pace: float = 0
    """Seconds for each byte of the body that is DRIPPING."""
    sent_bytes: int = 0
    """The number of bytes of a body that is CUT."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault of the first `calls` calls, or of every call."""

    calls: int | None = None
    seen: int = 0
    """The number of calls so far."""

    def apply(self, call: Call) -> None:
        """Apply to a call, unless it is later than the first `calls`."""
        self.seen += 1
        if self.is_due:
            self.strike(call)

    @property
    def is_due(self) -> bool:
        """Whether it applies to the current call."""
        return self.calls is None or self.seen <= self.calls

    def strike(self, call: Call) -> None:
        """Raise Refused, or change how the call is answered."""

    def change(self, call: Call, members: dict[str, Any]) -> None:
        """Change the members of the answer."""


@dataclass(slots=True, kw_only=True)
class Refuse(Fault):
    """Every call is refused with an error; its status code is the model's, unless one is given."""

    code: str
    message: str | None = None
    status: int | None = None

    def strike(self, call: Call) -> None:
        """Raise the error."""
        raise Refused(self.code, self.message or f"{call.operation} is refused by a test", self.status)


def denied(operation: str) -> Refuse:
    """Return the fault of a principal that may not call an operation."""
    message = f"User: arn:aws:iam::123456789012:user/jobindex is not authorized to perform: iot:{operation}"
    return Refuse(code="AccessDeniedException", message=message)


def expired_token() -> Refuse:
    """Return the fault of temporary credentials that have expired."""
    return Refuse(code="ExpiredTokenException", message="The security token included in the request is expired")


def unknown_key() -> Refuse:
    """Return the fault of an access key that AWS does not know."""
    message = "The security token included in the request is invalid."
    return Refuse(code="UnrecognizedClientException", message=message)


def wrong_signature() -> Refuse:
    """Return the fault of a secret that does not belong to the access key."""
    message = "The request signature we calculated does not match the signature you provided."
    return Refuse(code="InvalidSignatureException", message=message)


def broken(calls: int | None = None) -> Refuse:
    """Return the fault of a service with an internal error."""
    return Refuse(code="InternalFailureException", message="An unexpected error has occurred.", status=500, calls=calls)


@dataclass(slots=True, kw_only=True)
class Throttle(Fault):
    """Throttles each `every`-th call, or the calls above `rate` a second; without both, every call.

    A rate is that of a token bucket, as AWS's quotas are; it is full at `burst` tokens, by default those of a second.
    """

    every: int = 1
    rate: float | None = None
    burst: float | None = None
    clock: Callable[[], float] = time.monotonic
    throttled: int = 0
    """The number of calls that were throttled."""
    _tokens: float = field(default=0, init=False)
    _filled_at: float | None = field(default=None, init=False)

    def strike(self, call: Call) -> None:
        """Throttle the call, if it is its turn."""
        if self.seen % self.every == 0 if self.rate is None else not self._take(self.rate):
            self.throttled += 1
            raise Refused("ThrottlingException", f"Rate exceeded for {call.operation}")

    def _take(self, rate: float) -> bool:
        full, now = self.burst or rate, self.clock()
        former = self._filled_at
        self._filled_at = now
        self._tokens = full if former is None else min(full, self._tokens + (now - former) * rate)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(slots=True, kw_only=True)
class Hang(Fault):
    """The call is never answered: its connection is open until the server closes."""

    def strike(self, call: Call) -> None:
        """Never answer."""
        call.delivery = Delivery.NEVER


@dataclass(slots=True, kw_only=True)
class Drip(Fault):
    """The body arrives byte by byte."""

    seconds: float = 0.5
    """Between two bytes."""

    def strike(self, call: Call) -> None:
        """Send slowly."""
        call.delivery, call.pace = Delivery.DRIPPING, self.seconds


@dataclass(slots=True, kw_only=True)
class Cut(Fault):
    """The connection is closed without an answer, or after some bytes of its body."""

    after_bytes: int = 0

    def strike(self, call: Call) -> None:
        """Close the connection."""
        call.delivery, call.sent_bytes = Delivery.CUT, self.after_bytes


@dataclass(slots=True, kw_only=True)
class RefuseTokens(Fault):
    """Every nextToken is refused after a number of pages of its listing."""

    pages: int = 1

    def strike(self, call: Call) -> None:
        """Refuse the token."""
        token = call.parameters.get("nextToken")
        if token is not None and read_token(token).page >= self.pages:
            name = "ValidationException" if call.operation == "ListDeployments" else "InvalidRequestException"
            raise Refused(name, "The next token is not valid")


@dataclass(slots=True, kw_only=True)
class RepeatToken(Fault):
    """From the second page on, each page has the token with which it was requested, as moto's have."""

    def change(self, call: Call, members: dict[str, Any]) -> None:
        """Repeat the token."""
        if "nextToken" in call.parameters:
            members["nextToken"] = call.parameters["nextToken"]


@dataclass(slots=True, kw_only=True)
class Ignore(Fault):
    """A parameter is ignored: MiniStack and moto ignore `namespaceId`."""

    parameter: str = "namespaceId"

    def strike(self, call: Call) -> None:
        """Ignore the parameter."""
        call.ignored.add(self.parameter)


@dataclass(slots=True, kw_only=True)
class Before(Fault):
    """A function is called before each answer, for example to change the fleet between two pages."""

    run: Callable[[Call], None]

    def strike(self, call: Call) -> None:
        """Call the function; it may raise Refused."""
        self.run(call)
