"""The bench of fills finds lost jobs, repeated calls and broken limits, and reports nothing else."""

from collections import Counter
from dataclasses import replace

import pytest
from refill.lists import Comparison, compare_jobs
from refill.run import Refill
from refill.source import Source

from jobindex.model.jobs import JobExecutionStatus, JobStatus

SOURCE = Source(
    jobs=751,
    namespaces=Counter({"acme": 251, "": 500}),
    statuses=Counter({JobStatus.COMPLETED: 750, JobStatus.IN_PROGRESS: 1}),
    pending={"job-1": {JobExecutionStatus.QUEUED: 501, JobExecutionStatus.IN_PROGRESS: 0}},
)
CALLS = (2 + 2) + (3 + 1 + 1 + 1 + 1) + (3 + 1) + 2


def refill() -> Refill:
    """Return a fill without errors."""
    return Refill(
        rate=50,
        source=SOURCE,
        calls=Counter({"ListJobs": CALLS + 10}),
        busiest={"ListJobs": 51},
        kills=["once", "twice"],
        peaks={"service": 120.0, "writer": 80.0},
        comparison=Comparison(jobs=751, pending=501),
    )


def test_a_fill_without_errors_is_right() -> None:
    """Within all limits, and with equal lists, nothing is wrong."""
    assert CALLS == SOURCE.calls
    found = refill()
    found.judge()
    assert [] == found.wrong


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ({"calls": Counter({"ListJobs": CALLS + 11})}, f"{CALLS + 11} calls instead of {CALLS}"),
        ({"calls": Counter({"ListJobs": CALLS - 1})}, f"{CALLS - 1} calls instead of {CALLS}"),
        ({"busiest": {"ListJobs": 52}}, "52 calls of ListJobs within a second"),
        ({"peaks": {"service": 120.0, "writer": 80.1}}, "the service took 200 MiB"),
        ({"comparison": Comparison(jobs=750, pending=501)}, "the list has 750 of 751 jobs"),
        ({"comparison": Comparison(jobs=751, pending=500)}, "the lists have 500 of 501 pending executions"),
    ],
)
def test_each_error_is_found(broken: dict[str, object], expected: str) -> None:
    """A broken limit, a repeated call and a missing row are each reported."""
    found = replace(refill(), **broken)  # type: ignore[arg-type]
    found.judge()
    [wrong] = found.wrong
    assert expected in wrong


def test_each_member_counts() -> None:
    """A job that differs in a member, and one that is missing, are reported by member."""
    found = Comparison()
    jobs = [{"jobId": "a", "status": "CANCELED"}, {"jobId": "b"}]
    compare_jobs(found, "ListJobs", jobs, jobs)
    assert {} == found.differences
    compare_jobs(found, "ListJobs", jobs, [{"jobId": "a", "status": "COMPLETED"}])
    assert {"ListJobs, status": 1, "ListJobs, jobId": 1} == found.differences
