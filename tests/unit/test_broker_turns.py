"""The brokers of a cluster take turns."""

from jobindex.ingest.broker import Broker
from jobindex.ingest.broker_turns import Turns


def turns(count: int) -> Turns:
    """Return turns of some brokers, which are told apart by their ports."""
    return Turns([Broker(host="host", port=port, client_id="id") for port in range(1, count + 1)])


def taken(turns: Turns, count: int) -> list[tuple[int, bool, float]]:
    """Return the port of each whose turn comes, whether there is a pause before, and how long it is waited for."""
    found = []
    for _ in range(count):
        pauses = turns.pass_on() > 0
        found.append((turns.broker.port, pauses, turns.patience_seconds))
    return found


def test_each_is_tried_at_once_and_then_after_a_pause() -> None:
    """A round without a pause, and one before each that follows, in which each has more time."""
    expected = [(2, False, 3), (3, False, 3), (1, True, 6), (2, False, 6), (3, False, 6), (1, True, 9), (2, False, 9)]
    assert expected == taken(turns(3), 7)
    assert {10} == {patience for _, _, patience in taken(turns(2), 40)[8:]}


def test_after_one_that_worked_comes_a_first_round() -> None:
    """It begins with the next one."""
    three = turns(3)
    taken(three, 4)
    three.reset()
    assert [(3, False, 3), (1, False, 3), (2, True, 6)] == taken(three, 3)


def test_one_alone_is_tried_after_a_pause() -> None:
    """There is no other to try at once."""
    assert [(1, True)] * 3 == [(port, pauses) for port, pauses, _ in taken(turns(1), 3)]
