"""The values of options and arguments, read from text; what is wrong with one is said in a sentence."""

import re

import typer

from jobindex.access.principals import Role
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.parameters import NAMESPACE_ID


def count(text: object) -> int:
    """Return a number from 1."""
    return _number(text, 1)


def identity(text: object) -> int:
    """Return the id of a rejected message, or 0."""
    return _number(text, 0)


def status(text: str) -> JobStatus:
    """Return the status of a job, in whichever case it is written."""
    if text.upper() not in set(JobStatus):
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(JobStatus)}")
    return JobStatus(text.upper())


def selection(text: str) -> TargetSelection:
    """Return the kind of a job, in whichever case it is written."""
    if text.upper() not in set(TargetSelection):
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(TargetSelection)}")
    return TargetSelection(text.upper())


def namespace(text: str) -> str:
    """Return the id of a namespace."""
    if any(NAMESPACE_ID.problems(text)):
        raise typer.BadParameter(f"{text!r} is no namespace: letters, digits, _ and - make one")
    return text


def role(text: str) -> Role:
    """Return what a key may do."""
    if text not in set(Role):
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(Role)}")
    return Role(text)


def _number(text: object, least: int) -> int:
    if re.fullmatch(r"[0-9]{1,15}", str(text)) is None or int(str(text)) < least:
        raise typer.BadParameter(f"{str(text)!r} is not a whole number from {least}")
    return int(str(text))
