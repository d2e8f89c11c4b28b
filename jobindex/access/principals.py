"""Who asks, what of the index it may see, and what it may do."""

from dataclasses import dataclass
from enum import StrEnum

from jobindex.errors import AccessDeniedException


class Role(StrEnum):
    """What a key may do."""

    READ = "read"
    OPERATE = "operate"
    """Read, and try again or purge the rejected messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks."""

    name: str
    role: Role
    namespace_ids: frozenset[str] | None
    """The namespaces that it may see; None: all that there is."""

    @property
    def holder(self) -> str:
        """What is counted as one where something is limited for each."""
        return f"key {self.name}"

    def check_namespace(self, namespace_id: str | None, operation: str) -> None:
        """Return where it may ask for this namespace, or asks for none.

        Raises:
            AccessDeniedException: it may not, whether there is such a namespace or not.
        """
        if namespace_id is not None and self.namespace_ids is not None and namespace_id not in self.namespace_ids:
            raise self.denied(operation, f"namespace/{namespace_id}")

    def check_all_seen(self, operation: str) -> None:
        """Return where it may see what is of no namespace.

        Raises:
            AccessDeniedException: it is limited to some namespaces.
        """
        if self.namespace_ids is not None:
            raise self.denied(operation, "*")

    def check_operates(self, operation: str) -> None:
        """Return where it may change something.

        Raises:
            AccessDeniedException: it may not.
        """
        self.check_all_seen(operation)
        if self.role is not Role.OPERATE:
            raise self.denied(operation, "*")

    def denied(self, operation: str, resource: str) -> AccessDeniedException:
        """Return the error that tells that it may not do something, in AWS's words."""
        return AccessDeniedException(
            f"User: {self.name} is not authorized to perform: iot:{operation} on resource: {resource}"
        )


ANYONE = Principal(name="anyone", role=Role.OPERATE, namespace_ids=None)
"""Who asks where no keys are asked for."""
NOBODY = Principal(name="nobody", role=Role.READ, namespace_ids=frozenset())
"""Who asks without a key where keys are asked for; sees nothing."""
