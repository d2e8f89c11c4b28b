"""How help reads: what kind of value a flag or an argument takes is said by no more than its name."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose help names types only where an option takes a value."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 (typer's own class is private)
        """Return the parameters, flags and arguments without their types."""
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands whose help reads as theirs."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 (as of a command)
        """Return the parameters, flags and arguments without their types."""
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if parameter.param_type_name == "argument" or getattr(parameter, "is_flag", False):
            parameter.display_type_rich = lambda ctx: None  # noqa: ARG005 (typer names it)
    return parameters
