"""The judge of the fault bench finds every loss, and reports nothing else."""

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
    """Return the answers of ListJobs if nothing is lost."""
    since = first_event(one for messages in jobs.values() for one in messages)
    answers = {job_id: expected(messages, since) for job_id, messages in jobs.items()}
    return {job_id: answer for job_id, answer in answers.items() if answer is not None}


def test_the_bench_finds_nothing_in_a_whole_index(jobs: dict[str, list[Sent]]) -> None:
    """A complete index has no error, and a message that may be lost is not required."""
    index = whole_index(jobs)
    assert len(index) > 30
    assert [] == judge(jobs, index, {}, lambda _: True).wrong
    assert [] == judge(jobs, {}, {}, lambda _: False).wrong


def test_the_bench_finds_what_is_lost(jobs: dict[str, list[Sent]]) -> None:
    """A lost job, or a lost message that changes an answer, is reported for this job only."""
    ids = [*jobs]
    tried = 0
    for start in range(0, len(ids), 10):  # the judge checks every job for each loss
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
    """A job or a member that no message reported is an error."""
    index = whole_index(jobs)
    job_id, answer = next(iter(index.items()))
    [wrong] = judge(jobs, index | {"ghost": answer}, {}, lambda _: True).wrong
    assert "ghost" in wrong
    [wrong] = judge(jobs, index | {job_id: answer | {"lastUpdatedAt": 1}}, {}, lambda _: False).wrong
    assert wrong.startswith(f"{job_id}: ")


def test_the_reader_finds_what_goes_backwards() -> None:
    """An older time, a lower rank or an earlier life is an error; a new life may begin with a low rank.

    An inferred completion may be withdrawn once job events are known to have been published before it.
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
