"""Deferred work: changes to many other rows, recorded in a message's transaction and made in later ones.

Each step derives some rows again from their current states, so the result does not depend on the order of messages.
Until its step, a row shows its whole former state.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from jobindex.storage.sql.connection import Connection
from jobindex.storage.sql.tables import IS_LEFT_OUT, IS_PENDING

ROWS_MAXIMUM = 500
"""Rows that a batch may change beyond those its messages name."""
STEP_ROWS = 250  # a step of 500 executions, each of another job, took 230 to 280 ms on PostgreSQL


class Work(StrEnum):
    """The rows to derive again, by the name of a job or a thing."""

    JOB = "job"
    """The executions of a job whose deletion or namespace has changed."""
    THING = "thing"
    """The executions of a thing that are pending, or ended only by a list, after its lists have changed."""
    INFERRED = "inferred"
    """Jobs inferred COMPLETED although AWS would have reported it, after an earlier event became known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of work, and its progress."""

    work: Work
    name: str
    reached: str
    """The key of the last row derived."""
    is_again: bool
    """Whether it was deferred again since it began; at its end it then begins again."""


_DEFER = """
INSERT INTO deferred_work (work, name)
SELECT :work, value
FROM json_each(:names)
WHERE true
ON CONFLICT (work, name) DO UPDATE SET
    is_again = CASE WHEN deferred_work.reached = '' THEN 0 ELSE 1 END,
    reason = NULL
"""
# The least advanced piece comes first, so that none waits for the end of a longer one.
_NEXT = """
SELECT work, name, reached, is_again
FROM deferred_work
WHERE reason IS NULL
ORDER BY reached, work, name
LIMIT 1
"""
_GO_ON = "UPDATE deferred_work SET reached = :reached WHERE work = :work AND name = :name"
_BEGIN_AGAIN = "UPDATE deferred_work SET reached = '', is_again = 0 WHERE work = :work AND name = :name"
_END = "DELETE FROM deferred_work WHERE work = :work AND name = :name"
_SET_ASIDE = "UPDATE deferred_work SET reason = :reason WHERE work = :work AND name = :name"
_RETRY_SET_ASIDE = "UPDATE deferred_work SET reason = NULL WHERE reason IS NOT NULL"
_LEFT = "SELECT DISTINCT work FROM deferred_work WHERE reason IS NULL"
_ASIDE = "SELECT work, name, reason FROM deferred_work WHERE reason IS NOT NULL ORDER BY work, name LIMIT 10"

_OF_JOB = """
SELECT job_id, thing_name
FROM executions
WHERE job_id = :name
AND thing_name > :reached
ORDER BY thing_name
LIMIT :limit
"""
_OF_THING_IF = """
SELECT * FROM (
    SELECT job_id, thing_name
    FROM executions
    WHERE thing_name = :name
    AND {condition}
    AND job_id > :reached
    ORDER BY job_id
    LIMIT :limit
) AS found
"""
_OF_THING = f"""
{_OF_THING_IF.format(condition=IS_PENDING)}
UNION
{_OF_THING_IF.format(condition=IS_LEFT_OUT)}
ORDER BY job_id
LIMIT :limit
"""


def defer(connection: Connection, work: Work, names: Collection[str]) -> None:
    """Record deferred work."""
    connection.execute(_DEFER, {"work": work.value, "names": orjson.dumps([*names]).decode()})


def next_piece(connection: Connection) -> Piece | None:
    """Return the next piece of work that is not set aside, or None."""
    for work, name, reached, is_again in connection.execute(_NEXT).fetchall():
        return Piece(work=Work(work), name=name, reached=reached, is_again=bool(is_again))
    return None


def keys_of(connection: Connection, piece: Piece) -> Sequence[tuple[str, str]]:
    """Return the executions of the next step."""
    statement = _OF_JOB if piece.work is Work.JOB else _OF_THING
    parameters = {"name": piece.name, "reached": piece.reached, "limit": STEP_ROWS}
    return [(job_id, thing_name) for job_id, thing_name in connection.execute(statement, parameters).fetchall()]


def go_on(connection: Connection, piece: Piece, reached: str | None) -> None:
    """Record the progress of a piece; None is its end."""
    given = {"work": piece.work.value, "name": piece.name}
    if reached is not None:
        connection.execute(_GO_ON, {**given, "reached": reached})
    else:
        connection.execute(_BEGIN_AGAIN if piece.is_again else _END, given)


def set_aside(connection: Connection, piece: Piece, reason: str) -> None:
    """Set aside a piece that the database refuses."""
    connection.execute(_SET_ASIDE, {"work": piece.work.value, "name": piece.name, "reason": reason})


def retry_set_aside(connection: Connection) -> None:
    """Resume the pieces that were set aside."""
    connection.execute(_RETRY_SET_ASIDE)


def left(connection: Connection) -> frozenset[str]:
    """Return the kinds of work that are left."""
    return frozenset(work for (work,) in connection.execute(_LEFT).fetchall())


def aside(connection: Connection) -> tuple[str, ...]:
    """Return up to ten pieces that were set aside, with reasons."""
    return tuple(f"{work} {name}: {reason}" for work, name, reason in connection.execute(_ASIDE).fetchall())
