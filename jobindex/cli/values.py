"""The parsers of options and arguments; each error message is a sentence."""

import re
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import typer

from jobindex.access.principals import Role
from jobindex.model.jobs import JobStatus, TargetSelection
from jobindex.model.parameters import JOB_ID, NAMESPACE_ID, THING_NAME
from jobindex.model.sync import CHECKS, SyncKind

_Kind = TypeVar("_Kind", bound=StrEnum)


def count(text: object) -> int:
    """Return a whole number from 1."""
    return _number(text, 1)


def identity(text: object) -> int:
    """Return the id of a rejected message, or 0."""
    return _number(text, 0)


def status(text: str) -> JobStatus:
    """Return a job status, in upper or lower case."""
    return _member(JobStatus, text, text.upper())


def selection(text: str) -> TargetSelection:
    """Return a target selection, in upper or lower case."""
    return _member(TargetSelection, text, text.upper())


def namespace(text: str) -> str:
    """Return the id of a namespace."""
    if any(NAMESPACE_ID.problems(text)):
        raise typer.BadParameter(f"{text!r} is not a namespace: use letters, digits, _ and -")
    return text


def job_id(text: str) -> str:
    """Return the id of a job."""
    if any(JOB_ID.problems(text)):
        raise typer.BadParameter(f"{text!r} is not a job id: use 1 to 64 letters, digits, _ and -")
    return text


def thing_name(text: str) -> str:
    """Return the name of a thing."""
    if any(THING_NAME.problems(text)):
        raise typer.BadParameter(f"{text!r} is not a thing name: use 1 to 128 letters, digits, _, - and :")
    return text


def moment(text: object) -> float:
    """Return the seconds since the epoch of a time in ISO 8601, with its offset from UTC."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise typer.BadParameter(f"{str(text)!r} is not a time with an offset, such as 2026-11-29T12:00:00Z")
    return time.timestamp()


def role(text: str) -> Role:
    """Return the role of a key."""
    return _member(Role, text, text)


def _member(kind: type[_Kind], text: str, value: str) -> _Kind:
    if value not in set(kind):
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(kind)}")
    return kind(value)


def _number(text: object, least: int) -> int:
    if re.fullmatch(r"[0-9]{1,15}", str(text)) is None or int(str(text)) < least:
        raise typer.BadParameter(f"{str(text)!r} is not a whole number from {least}")
    return int(str(text))


def check(text: str) -> SyncKind:
    """Return the kind of a check."""
    if text not in CHECKS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(sorted(CHECKS))}")
    return SyncKind(text)
