"""Principals, their visible namespaces and their roles."""

from dataclasses import dataclass
from enum import StrEnum

from jobindex.errors import AccessDeniedException


class Role(StrEnum):
    """The permitted operations of a key."""

    READ = "read"
    OPERATE = "operate"
    """Read, retry or purge the rejected messages, import rows, and start syncs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The authenticated client of a request."""

    name: str
    role: Role
    namespace_ids: frozenset[str] | None
    """The visible namespaces; None: the whole index."""

    @property
    def holder(self) -> str:
        """The identity of the client for limits."""
        return f"key {self.name}"

    def check_namespace(self, namespace_id: str | None, operation: str) -> None:
        """Raise AccessDeniedException if a requested namespace is not visible, whether or not it exists."""
        if namespace_id is not None and self.namespace_ids is not None and namespace_id not in self.namespace_ids:
            raise self.denied(operation, f"namespace/{namespace_id}")

    def check_all_visible(self, operation: str) -> None:
        """Raise AccessDeniedException unless the whole index is visible."""
        if self.namespace_ids is not None:
            raise self.denied(operation, "*")

    def check_operates(self, operation: str) -> None:
        """Raise AccessDeniedException unless the principal may change something."""
        self.check_all_visible(operation)
        if self.role is not Role.OPERATE:
            raise self.denied(operation, "*")

    def denied(self, operation: str, resource: str) -> AccessDeniedException:
        """Return AWS's error for an operation that is not permitted."""
        return AccessDeniedException(
            f"User: {self.name} is not authorized to perform: iot:{operation} on resource: {resource}"
        )


ANYONE = Principal(name="anyone", role=Role.OPERATE, namespace_ids=None)
"""Every client, if no keys are required."""
NOBODY = Principal(name="nobody", role=Role.READ, namespace_ids=frozenset())
"""A client without a key, if keys are required; nothing is visible to it."""
