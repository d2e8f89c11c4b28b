"""The lease of an index in PostgreSQL: one replica has it, by the database's clock."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from support.waiting import wait_until

from jobindex.errors import LeaseLostError
from jobindex.model.store import Lease
from jobindex.storage.postgres.lease import check_held, keep, read_lease, release, take

Connection = psycopg.Connection[Any]

_TABLE = """
CREATE TABLE lease (
    the_one    INTEGER     NOT NULL PRIMARY KEY CHECK (the_one = 1),
    generation BIGINT      NOT NULL,
    holder     TEXT        NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    told       TEXT        NOT NULL
);
INSERT INTO lease VALUES (1, 0, '', now(), '{}');
"""
LONG = 60.0
"""Longer than any test takes."""


@pytest.fixture
def one(postgres_url: str) -> Iterator[Connection]:
    """Connect a replica to a database with the lease table."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(_TABLE)
        yield connection


@pytest.fixture
def other(one: Connection, postgres_url: str) -> Iterator[Connection]:  # noqa: ARG001 (it creates the table)
    """Connect another replica, whose rows are dictionaries."""
    with psycopg.connect(postgres_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def expire(connection: Connection) -> None:
    """Expire the lease."""
    connection.execute("UPDATE lease SET expires_at = now() - INTERVAL '1 millisecond'")


def is_held(connection: Connection, holder: str, generation: int | None) -> bool:
    """Return whether a holder may write."""
    try:
        with connection.transaction():
            check_held(connection, holder=holder, generation=generation)
    except LeaseLostError:
        return False
    return True


def seen(lease: Lease) -> tuple[str, bool, bool, str]:
    """Return the holder, whether it is the caller, whether the lease is over, and its status."""
    return lease.holder, lease.is_mine, lease.is_over, lease.status


def test_at_first_nobody_has_it(one: Connection) -> None:
    """A new lease has no holder, and nobody may write."""
    assert ("", False, True, "{}") == seen(read_lease(one, holder="one", generation=None))
    assert not is_held(one, "one", None)
    assert not keep(one, holder="one", generation=None, seconds=LONG, status="{}")


def test_it_is_taken_once(one: Connection, other: Connection) -> None:
    """The first replica takes the lease with its status; the second one is refused, and reads the holder."""
    generation = take(one, holder="one", seconds=LONG, status="first")
    assert 1 == generation
    assert take(other, holder="other", seconds=LONG, status="second") is None
    told = ("one", True, False, "first")
    assert told == seen(read_lease(one, holder="one", generation=generation))
    told = ("one", False, False, "first")
    assert told == seen(read_lease(other, holder="other", generation=None))
    assert (True, False) == (is_held(one, "one", generation), is_held(other, "other", None))


def test_of_many_who_take_it_at_once_one_has_it(one: Connection, postgres_url: str) -> None:
    """If many replicas take an expired lease at once, one of them gets it."""
    replicas, rounds = 8, 20
    meeting = threading.Barrier(replicas, action=lambda: expire(one))
    taken: list[int] = []

    def try_to_take(name: str) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for _ in range(rounds):
                meeting.wait(30)
                generation = take(connection, holder=name, seconds=LONG, status="{}")
                if generation is not None:
                    taken.append(generation)

    threads = [threading.Thread(target=try_to_take, args=(f"replica-{number}",)) for number in range(replicas)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*range(1, rounds + 1)] == taken


def test_its_seconds_are_those_of_the_database(one: Connection) -> None:
    """A lease lasts its seconds by the database's clock, from when it is taken or renewed."""
    generation = take(one, holder="one", seconds=7.5, status="{}")
    assert 7 < left(one) <= 7.5
    assert keep(one, holder="one", generation=generation, seconds=20, status="{}")
    assert 19 < left(one) <= 20


def left(connection: Connection) -> float:
    """Return the remaining seconds of the lease, by the database's clock."""
    ((seconds,),) = connection.execute("SELECT extract(epoch FROM expires_at - now())::FLOAT FROM lease")
    return float(seconds)


def test_it_ends_by_itself(one: Connection, other: Connection) -> None:
    """A lease that is not renewed expires, and the next replica takes it."""
    take(one, holder="one", seconds=0.2, status="{}")
    wait_until(lambda: take(other, holder="other", seconds=LONG, status="{}") == 2, "the lease's end")
    assert not is_held(one, "one", 1)


def test_a_greater_generation_fences_off_who_had_it(one: Connection, other: Connection) -> None:
    """A former holder cannot write, renew or release the lease."""
    assert 1 == take(one, holder="one", seconds=LONG, status="{}")
    expire(one)
    assert 2 == take(other, holder="other", seconds=LONG, status="mine")
    assert not is_held(one, "one", 1)
    assert not keep(one, holder="one", generation=1, seconds=LONG, status="not mine")
    release(one, holder="one", generation=1)
    assert ("other", True, False, "mine") == seen(read_lease(other, holder="other", generation=2))
    assert is_held(other, "other", 2)


def test_a_number_that_counts_two_holders_fences_nevertheless(one: Connection, other: Connection) -> None:
    """A former holder is refused even if a failover lost its generation and the next holder has the same."""
    assert 1 == take(one, holder="one", seconds=LONG, status="{}")
    one.execute("UPDATE lease SET generation = 0, holder = '', expires_at = now()")
    assert 1 == take(other, holder="other", seconds=LONG, status="{}")
    assert (False, True) == (is_held(one, "one", 1), is_held(other, "other", 1))
    assert not keep(one, holder="one", generation=1, seconds=LONG, status="{}")
    assert not read_lease(one, holder="one", generation=1).is_mine


def test_who_was_silent_too_long_keeps_it_where_nobody_took_it(one: Connection) -> None:
    """A holder keeps an expired lease that no other replica has taken."""
    generation = take(one, holder="one", seconds=LONG, status="{}")
    expire(one)
    assert is_held(one, "one", generation)
    assert keep(one, holder="one", generation=generation, seconds=LONG, status="{}")
    assert not read_lease(one, holder="one", generation=generation).is_over


def test_it_can_be_given_back(one: Connection, other: Connection) -> None:
    """A released lease is free at once, keeps its last status, and refuses writes of its former holder."""
    generation = take(one, holder="one", seconds=LONG, status="the last of one")
    release(one, holder="one", generation=generation)
    assert not is_held(one, "one", generation)
    assert not keep(one, holder="one", generation=generation, seconds=LONG, status="{}")
    assert ("", False, True, "the last of one") == seen(read_lease(other, holder="other", generation=None))
    assert 2 == take(other, holder="other", seconds=LONG, status="{}")


def test_it_is_not_taken_while_a_write_is_under_way(one: Connection, other: Connection) -> None:
    """A lease is not taken during a write of its holder, and the attempt does not wait for the write."""
    generation = take(one, holder="one", seconds=LONG, status="{}")
    expire(one)
    other.execute("SET lock_timeout = '100ms'")  # a statement that waits fails
    with one.transaction():
        check_held(one, holder="one", generation=generation)
        assert take(other, holder="other", seconds=LONG, status="{}") is None
    assert 2 == take(other, holder="other", seconds=LONG, status="{}")


def test_it_is_kept_while_a_write_is_under_way(one: Connection, other: Connection) -> None:
    """Another connection renews the lease during a long write."""
    generation = take(one, holder="one", seconds=LONG, status="{}")
    other.execute("SET lock_timeout = '100ms'")
    with one.transaction():
        check_held(one, holder="one", generation=generation)
        assert keep(other, holder="one", generation=generation, seconds=LONG, status="{}")


def test_a_write_waits_for_who_takes_it(one: Connection, other: Connection) -> None:
    """A write that meets a takeover waits for it and is refused, so that two replicas never write at once."""
    generation = take(one, holder="one", seconds=LONG, status="{}")
    expire(one)
    ended: list[bool] = []
    writing = threading.Thread(target=lambda: ended.append(is_held(one, "one", generation)))
    with other.transaction():
        assert 2 == take(other, holder="other", seconds=LONG, status="{}")
        writing.start()
        waiting = "SELECT count(*) AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: other.execute(waiting).fetchone() == {"waiting": 1}, "the write to wait")
        assert [] == ended
    writing.join()
    assert [False] == ended


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_time_zone_of_who_asks_plays_no_part(one: Connection, other: Connection, zone: str) -> None:
    """The time zone of a session does not affect the lease."""
    other.execute(f"SET TIME ZONE '{zone}'")
    take(one, holder="one", seconds=LONG, status="{}")
    assert not read_lease(other, holder="other", generation=None).is_over
    assert take(other, holder="other", seconds=LONG, status="{}") is None
    expire(one)
    assert 2 == take(other, holder="other", seconds=LONG, status="{}")
    assert not read_lease(one, holder="one", generation=None).is_over


def test_it_tells_how_long_it_lasts(one: Connection) -> None:
    """A lease reports its remaining seconds, so that a standby need not ask again before."""
    generation = take(one, holder="one", seconds=100, status="{}")
    assert 90 < read_lease(one, holder="one", generation=generation).seconds_left <= 100
    release(one, holder="one", generation=generation)
    assert read_lease(one, holder="one", generation=generation).seconds_left <= 0
