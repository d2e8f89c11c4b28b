"""Commands whose help does not repeat the types of flags and arguments."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose help shows types only for options with a value."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 (typer's own class is private)
        """Return the parameters without types on flags and arguments."""
        return _without_types(super().get_params(ctx))


class Group(TyperGroup):
    """A group with the same help."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 (as of a command)
        """Return the parameters, as a Command does."""
        return _without_types(super().get_params(ctx))


def _without_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if parameter.param_type_name == "argument" or getattr(parameter, "is_flag", False):
            parameter.display_type_rich = lambda ctx: None  # noqa: ARG005 (typer names it)
    return parameters
