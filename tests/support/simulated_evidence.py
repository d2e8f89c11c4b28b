"""The facts that one message of a simulated fleet shows, which the simulation records when it writes the message.

`at` is the message's own `timestamp` in whole seconds; `captured_at` is the moment, in milliseconds, whose state the
message shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from support.simulated_truth import TrueAttempt, TrueExecution, TrueJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as a broker delivers it."""

    topic: str
    payload: bytes
    published_at: int
    """In milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptShown:
    """The state of one attempt."""

    attempt: TrueAttempt
    status: str
    at: int
    captured_at: int
    is_numbered: bool
    """Whether the message carries executionNumber and, unless it is an event, queuedAt."""
    version: int | None = None
    shows_queued_at: bool = False
    shows_start: bool = False
    shows_namespace: bool = False
    shows_thing_arn: bool = False
    details: Mapping[str, str] | None = None
    """The statusDetails; None if a message of this kind cannot carry them."""
    details_changes: int = 0

    @property
    def is_pending(self) -> bool:
        """Whether the message shows the attempt as pending."""
        return self.status in {"QUEUED", "IN_PROGRESS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListShown:
    """All pending executions of a thing in a namespace; an omitted execution is not pending."""

    thing_name: str
    namespace_id: str | None
    at: int
    captured_at: int
    attempts: frozenset[TrueAttempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobShown:
    """A job's members in a job event."""

    job: TrueJob
    operation: str
    at: int
    has_comment: bool
    process_details: Mapping[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionDeletionShown:
    """The deletion of an execution."""

    execution: TrueExecution
    at: int


Shown = AttemptShown | ListShown | JobShown | ExecutionDeletionShown


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message with the facts that it shows."""

    message: Message
    shown: tuple[Shown, ...] = ()
