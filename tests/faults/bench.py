"""A run of the fault bench: it breaks everything for some time, repairs it, waits, and judges the index."""

import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from support.services import running
from support.waiting import wait_until

from faults.checker import Answer, Verdict, judge
from faults.database import Kind
from faults.faults import GROUPS, plan, save_broker, strike_all
from faults.reader import NoAnswerError, Reader
from faults.server_faults import SERVER_GROUPS
from faults.site import LoggedService, Site, open_site
from jobindex.cli.demo.nats import free_port

_MESSAGES_PER_SECOND = 60
_SETTLE_SECONDS = 90
_VERDICT_ATTEMPTS = 20
_TOLD_TABLES = ("jobs", "executions", "pending_lists", "thing_groups")
_PHRASES = (
    "Connected to",
    "Not connected",
    "has lost the session",
    "nothing is acknowledged",
    "does another client use the id",
    "Traceback",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The faults, the counts of the run, and the problems."""

    faults: Mapping[str, int]
    messages: Mapping[str, int]
    jobs: Mapping[str, int]
    answers: Mapping[str, int]
    logged: Mapping[str, int]
    wrong: Sequence[str]

    def __str__(self) -> str:
        counts = {
            "Faults": self.faults,
            "Messages": self.messages,
            "Jobs": self.jobs,
            "ListJobs": self.answers,
            "Logged by the service": self.logged,
        }
        lines = [
            f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(numbers.items()))
            for title, numbers in counts.items()
        ]
        verdict = [f"WRONG: {problem}" for problem in self.wrong] or ["Nothing was lost, nothing went backwards."]
        return "\n".join([*lines, *verdict])


def run(directory: Path, *, seed: int, seconds: float, kind: Kind = "sqlite") -> Result:
    """Break everything for `seconds`, with all files in a directory, and judge the resulting index."""
    with open_site(directory, Random(seed), messages_per_second=_MESSAGES_PER_SECOND, kind=kind) as site:
        with publishing(site, reading=True):
            _strike(site, seed, seconds)
            verdict = settle(site)
        wrong = [*verdict.wrong, *site.wrong, *site.reader.wrong, *_stop(site)]
    told = logged(site.service.history.read_text())
    if told["Traceback"]:
        wrong.append(f"a traceback in {site.service.history}")
    return Result(
        faults=site.counts,
        messages=site.ledger.counts(),
        jobs=verdict.counts,
        answers=site.reader.counts,
        logged=told,
        wrong=wrong,
    )


@contextmanager
def publishing(site: Site, *, reading: bool) -> Iterator[None]:
    """Publish and, if `reading`, read while the context is open; the session outlives the broker."""
    save_broker(site)
    ending = threading.Event()
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(site.publisher.run)]
        if reading:
            futures.append(pool.submit(site.reader.run, ending))
        try:
            yield
        finally:
            site.stopping.set()
            ending.set()
            site.publisher.end()
        for future in futures:
            future.result()


def settle(site: Site) -> Verdict:
    """Wait until all messages are acknowledged and delivered, and judge; retry while messages are in flight."""
    site.publisher.finish()
    wait_until(site.publisher.is_idle, "the broker's acknowledgements", _SETTLE_SECONDS)
    if site.service.has_ended():
        site.start_service()
    wait_until(lambda: site.service.readyz()["ingestion"] == "connected", "the connection", _SETTLE_SECONDS)
    site.probe(_SETTLE_SECONDS)
    other_answers = _answers_of_other(site)
    verdict = Verdict(counts=Counter(), wrong=["never judged"])
    for _ in range(_VERDICT_ATTEMPTS):
        try:
            answers = site.reader.all_jobs()
        except NoAnswerError:
            continue
        verdict = judge(site.ledger.by_job(), answers, other_answers, site.ledger.must_be_there)
        if not verdict.wrong:
            break
        time.sleep(0.5)
    return verdict


def _strike(site: Site, seed: int, seconds: float) -> None:
    """Run all groups of faults; the first error ends the others."""
    kinds_at_once = (GROUPS if site.server is None else SERVER_GROUPS).values()
    with ThreadPoolExecutor(max_workers=len(kinds_at_once)) as pool:
        groups = [pool.submit(strike_all, site, plan(kinds, seed, seconds), seconds) for kinds in kinds_at_once]
        done, _ = wait(groups, return_when=FIRST_EXCEPTION)
        if any(future.exception() for future in done):
            site.stopping.set()
    for future in groups:
        future.result()


def _answers_of_other(site: Site) -> Mapping[str, Answer | None]:
    """Return the second service's answer for each job of which it received messages."""
    directory = site.other.history.parent / "verdict"
    judged = LoggedService(directory, site.other.database, free_port())  # without a broker, it receives nothing more
    with running(judged, until="connecting"):
        wait_until(lambda: judged.get("/readyz")[0] == 200, "the second service's index")
        answers = Reader(lambda: judged.url, dict).all_jobs()
    with closing(sqlite3.connect(site.other.database)) as database:
        told = [row for table in _TOLD_TABLES for row in database.execute(f"SELECT * FROM {table}")]
    job_ids = {
        f"probe-{number}" if name == "probe" else f"job-{number}"
        for row in told
        for name, number in re.findall(r"\b(job|thing|group|probe)-(\d+)\b", repr(row))
    }
    # A life's job, thing and group share one number; a reported job may not be listed.
    return {job_id: answers.get(job_id) for job_id in job_ids}


def logged(history: str) -> Counter[str]:
    """Return how often the service has logged each phrase about its connection and its errors."""
    return Counter({phrase: history.count(phrase) for phrase in _PHRASES})


def _stop(site: Site) -> list[str]:
    """Stop the service with SIGTERM; return the problems with its exit status or its database."""
    wrong = []
    if (status := site.service.stop()) != 0:
        wrong.append(f"the service ended with {status}")
    with closing(sqlite3.connect(site.service.database)) as database:
        [(integrity,)] = database.execute("PRAGMA integrity_check").fetchall()
    if integrity != "ok":
        wrong.append(f"the database is damaged: {integrity}")
    return wrong
