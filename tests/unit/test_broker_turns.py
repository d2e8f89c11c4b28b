"""The brokers of a cluster are tried in turn."""

from jobindex.ingest.broker import Broker
from jobindex.ingest.broker_turns import Turns


def turns(count: int) -> Turns:
    """Return the turns of some brokers, which differ by their ports."""
    return Turns([Broker(host="host", port=port, client_id="id") for port in range(1, count + 1)])


def taken(turns: Turns, count: int) -> list[tuple[int, bool, float]]:
    """Return the port, whether a pause comes first, and the timeout of each turn."""
    found = []
    for _ in range(count):
        pauses = turns.advance() > 0
        found.append((turns.broker.port, pauses, turns.patience_seconds))
    return found


def test_each_is_tried_at_once_and_then_after_a_pause() -> None:
    """The first round has no pause; each later round begins with a pause and has longer timeouts."""
    expected = [(2, False, 3), (3, False, 3), (1, True, 6), (2, False, 6), (3, False, 6), (1, True, 9), (2, False, 9)]
    assert expected == taken(turns(3), 7)
    assert {10} == {patience for _, _, patience in taken(turns(2), 40)[8:]}


def test_after_one_that_worked_comes_a_first_round() -> None:
    """A first round, which begins with the next broker, follows a broker that worked."""
    three = turns(3)
    taken(three, 4)
    three.reset()
    assert [(3, False, 3), (1, False, 3), (2, True, 6)] == taken(three, 3)


def test_one_alone_is_tried_after_a_pause() -> None:
    """A single broker is tried after a pause each time."""
    assert [(1, True)] * 3 == [(port, pauses) for port, pauses, _ in taken(turns(1), 3)]
