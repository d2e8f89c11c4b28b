"""The judge of the fault bench finds what is lost, and blames nothing else."""

import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from faults.checker import Answer, expected, first_event, judge
from faults.ledger import Ledger, Sent
from faults.lives import lives
from faults.reader import Visible, goes_backwards


@pytest.fixture
def jobs(tmp_path: Path) -> dict[str, list[Sent]]:
    """Return the messages of some jobs, all of them acknowledged and saved."""
    ledger = Ledger(tmp_path / "ledger.txt")
    ledger.connect()
    for life, _ in zip(lives(Random(7)), range(60), strict=False):
        for message in life.messages:
            ledger.acknowledge(ledger.send(life.job_id, message))
    ledger.save(ledger.acknowledged())
    ledger.close()
    return ledger.by_job()


def whole_index(jobs: dict[str, list[Sent]]) -> dict[str, Answer]:
    """Return what ListJobs says when nothing is lost."""
    since = first_event(one for messages in jobs.values() for one in messages)
    answers = {job_id: expected(messages, since) for job_id, messages in jobs.items()}
    return {job_id: answer for job_id, answer in answers.items() if answer is not None}


def test_the_bench_finds_nothing_in_a_whole_index(jobs: dict[str, list[Sent]]) -> None:
    """No false alarm, and none of what may be lost is asked for."""
    index = whole_index(jobs)
    assert len(index) > 30
    assert [] == judge(jobs, index, {}, lambda _: True).wrong
    assert [] == judge(jobs, {}, {}, lambda _: False).wrong


def test_the_bench_finds_what_is_lost(jobs: dict[str, list[Sent]]) -> None:
    """A message whose loss shows in an answer is missed, and so is a whole job; other jobs are not blamed."""
    ids = [*jobs]
    tried = 0
    for start in range(0, len(ids), 10):  # the judge looks at each job for each loss
        some = {job_id: jobs[job_id] for job_id in ids[start : start + 10]}
        index = whole_index(some)
        since = first_event(one for messages in some.values() for one in messages)
        for job_id, messages in some.items():
            for number in range(len(messages)):
                answer = expected([*messages[:number], *messages[number + 1 :]], since)
                if answer == index.get(job_id):
                    continue
                damaged = {other: old for other, old in index.items() if other != job_id}
                [wrong] = judge(some, damaged | ({job_id: answer} if answer else {}), {}, lambda _: True).wrong
                assert wrong.startswith(f"{job_id}: ")
                tried += 1
    assert tried > 50


def test_the_bench_finds_what_was_never_told(jobs: dict[str, list[Sent]]) -> None:
    """A job that no message told of, and a member that no message told."""
    index = whole_index(jobs)
    job_id, answer = next(iter(index.items()))
    [wrong] = judge(jobs, index | {"ghost": answer}, {}, lambda _: True).wrong
    assert "ghost" in wrong
    [wrong] = judge(jobs, index | {job_id: answer | {"lastUpdatedAt": 1}}, {}, lambda _: False).wrong
    assert wrong.startswith(f"{job_id}: ")


def test_the_reader_finds_what_goes_backwards() -> None:
    """An older time or a lower rank of the same life, or the life before a deletion; a new life may begin low.

    An inferred completion is taken back when job events are known to have been published before it.
    """
    seen = Visible(created_at=10, last_updated_at=20, rank=2)
    assert not goes_backwards(seen, seen, math.inf)
    assert goes_backwards(seen, replace(seen, last_updated_at=19), math.inf)
    assert goes_backwards(seen, replace(seen, rank=0), math.inf)
    assert goes_backwards(replace(seen, rank=3), replace(seen, rank=1), math.inf)
    assert not goes_backwards(seen, replace(seen, rank=1), math.inf)
    assert goes_backwards(seen, replace(seen, rank=1, last_updated_at=19), math.inf)
    again = Visible(created_at=31, last_updated_at=31, rank=0)
    assert not goes_backwards(seen, again, 30)
    assert goes_backwards(again, seen, 30)
