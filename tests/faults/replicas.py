"""Two runs of several replicas of the service on one PostgreSQL database, with a broker that nothing breaks.

One run repeatedly kills the ingesting replica; the other kills the database's primary, and its standby is promoted. In
both, each message that the broker has acknowledged must be in the index.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.error import URLError

from support.brokers import mosquitto
from support.postgresql_servers import Pair, pair, server
from support.waiting import wait_until

from faults.checker import Verdict, judge
from faults.database import DATABASE
from faults.ledger import Ledger
from faults.pager import Pager
from faults.publisher import Publisher
from faults.reader import NoAnswerError, Reader
from faults.site import LEASE_SECONDS, LoggedService

_MESSAGES_PER_SECOND = 100
_BEYOND_LEASE_SECONDS = 1
"""The time that a standby may take beyond the lease: to connect, and to be polled."""
_START_SECONDS = 30
_RECOVERY_SECONDS = 60
_SETTLE_SECONDS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Everything that runs; `wrong` lists the unexpected effects of the faults."""

    services: Sequence[LoggedService]
    ledger: Ledger
    publisher: Publisher
    reader: Reader
    pager: Pager
    wrong: list[str] = field(default_factory=list)
    milliseconds: list[int] = field(default_factory=list)
    """The time of each recovery."""

    def ingesting(self, seconds: float, *, but: LoggedService | None = None) -> LoggedService:
        """Return the ingesting replica, once there is one."""
        others = [service for service in self.services if service is not but]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for service in others:
                if ingestion(service) == "connected":
                    return service
            time.sleep(0.02)
        raise AssertionError(f"no replica ingested within {seconds} s\n{self.logs()}")

    def logs(self) -> str:
        """Return the end of each replica's log."""
        return "\n".join(service.log()[-1500:] for service in self.services)

    def until_probed(self, seconds: float) -> None:
        """Wait until a message that is sent now is in the index."""
        job_id = self.publisher.probe()
        wait_until(lambda: self.reader.has_probe(job_id), f"a probe in the index\n{self.logs()}", seconds)

    def recovered(self, since: float) -> float:
        """Record the seconds of a recovery, and return them."""
        seconds = time.monotonic() - since
        self.milliseconds.append(round(seconds * 1000))
        return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The faults, the counts of the run, and the problems."""

    faults: str
    milliseconds: Sequence[int]
    counts: Mapping[str, Mapping[str, int]]
    wrong: Sequence[str]

    def __str__(self) -> str:
        ordered = sorted(self.milliseconds)
        took = f"after {ordered[len(ordered) // 2]} ms (median), {ordered[-1]} ms at most" if ordered else "never"
        lines = [
            f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(numbers.items()))
            for title, numbers in self.counts.items()
        ]
        verdict = [f"WRONG: {problem}" for problem in self.wrong] or [
            "Nothing was lost, nothing went backwards, no page had a gap or a repeat."
        ]
        return "\n".join([f"{self.faults}; ingestion resumed {took}.", *lines, *verdict])


def kill_replicas(directory: Path, *, seed: int, kills: int, replicas: int = 2) -> Outcome:
    """Kill the ingesting replica `kills` times, with all files in a directory, and judge the resulting index.

    A standby must take over within the lease; the killed replica returns as a standby.
    """
    random = Random(seed)
    with server() as database:
        database.execute(f"CREATE DATABASE {DATABASE}")
        with _open(directory, database.url(DATABASE), random, replicas, may_be_away=False) as site:
            with _publishing(site):
                for _ in range(kills):
                    _kill(site, random)
                verdict = _settle(site)
            _turn_all_pages(site)
            return _outcome(site, verdict, f"The replica that ingests was killed {kills} times")


def fail_over(directory: Path, *, seed: int, failovers: int, replicas: int = 2) -> Outcome:
    """Kill the database's primary and promote its standby `failovers` times, and judge the resulting index."""
    random = Random(seed)
    with pair() as both, _open(directory, both.url, random, replicas, may_be_away=True) as site:
        with _publishing(site):
            for _ in range(failovers):
                _fail_over(site, both, random)
            verdict = _settle(site)
        _turn_all_pages(site)
        ended = [service for service in site.services if service.has_ended()]
        site.wrong.extend(f"a replica ended by itself:\n{service.log()[-3000:]}" for service in ended)
        return _outcome(
            site,
            verdict,
            f"The primary was killed {failovers} times, its standby promoted, and the old primary made its standby",
        )


def ingestion(service: LoggedService) -> str | None:
    """Return a replica's ingestion status. None if it does not answer."""
    if service.has_ended():
        return None
    try:
        told = service.readyz()
    except (URLError, OSError, ValueError):
        return None
    return str(told.get("ingestion"))


def _kill(site: Replicas, random: Random) -> None:
    """Kill the ingesting replica at a random time of its lease, and restart it after another has taken over."""
    killed = site.ingesting(_RECOVERY_SECONDS)
    time.sleep(random.uniform(0, LEASE_SECONDS))
    killed.kill()
    since = time.monotonic()
    site.ingesting(_RECOVERY_SECONDS, but=killed)
    seconds = site.recovered(since)
    if seconds > LEASE_SECONDS + _BEYOND_LEASE_SECONDS:
        site.wrong.append(f"a standby took over only after {seconds:.1f} s, with a lease of {LEASE_SECONDS} s")
    killed.start(until="standby")


def _fail_over(site: Replicas, both: Pair, random: Random) -> None:
    """Kill the primary, promote the standby, and make the old primary its standby, while messages flow."""
    site.until_probed(_RECOVERY_SECONDS)
    time.sleep(random.uniform(0, LEASE_SECONDS))
    both.kill_primary()
    time.sleep(random.uniform(0, 1))
    both.promote()
    both.rebuild()  # a commit is reported only after both have written it
    since = time.monotonic()
    site.until_probed(_RECOVERY_SECONDS)
    site.recovered(since)


@contextmanager
def _open(directory: Path, url: str, random: Random, replicas: int, *, may_be_away: bool) -> Iterator[Replicas]:
    """Run a broker and the replicas, one of which ingests, while the context is open.

    If `may_be_away`, the database may be unavailable meanwhile.
    """
    with closing(Ledger(directory / "ledger.txt")) as ledger, mosquitto(directory) as broker:
        names = [f"replica-{number}" for number in range(1, replicas + 1)]
        services = [LoggedService(directory / name, url, broker.port) for name in names]

        def running() -> list[str]:
            return [service.url for service in services if service.url and not service.has_ended()]

        site = Replicas(
            services=services,
            ledger=ledger,
            publisher=Publisher([broker.port], ledger, random, messages_per_second=_MESSAGES_PER_SECOND),
            reader=Reader(lambda: random.choice(running()), ledger.deleted_at, remote=may_be_away),
            pager=Pager(running, ledger.deleted_at, random),
        )
        try:
            services[0].start()
            for standby in services[1:]:
                standby.start(until="standby")
            yield site
        finally:
            for service in services:
                if service.process is not None and not service.has_ended():
                    service.kill()
                service.keep_log()


@contextmanager
def _publishing(site: Replicas) -> Iterator[None]:
    """Publish, read and scan pages while the context is open."""
    ending = threading.Event()
    with ThreadPoolExecutor() as pool:
        futures = [
            pool.submit(site.publisher.run),
            pool.submit(site.reader.run, ending),
            pool.submit(site.pager.run, ending),
        ]
        try:
            yield
        finally:
            ending.set()
            site.publisher.end()
        for future in futures:
            future.result()


def _settle(site: Replicas) -> Verdict:
    """Wait until all messages are acknowledged, and judge each replica; retry while messages are in flight."""
    site.publisher.finish()
    wait_until(site.publisher.is_idle, "the broker's acknowledgements", _SETTLE_SECONDS)
    site.until_probed(_SETTLE_SECONDS)
    verdict = Verdict(counts=Counter(), wrong=["no replica"])
    for service in site.services:
        verdict = _settled(site, service)
        if verdict.wrong:
            break
    return verdict


def _settled(site: Replicas, service: LoggedService) -> Verdict:
    """Judge one replica's answers."""
    reader = Reader(lambda: service.url, dict)
    end = time.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            answers = reader.all_jobs()
        except NoAnswerError:
            verdict = Verdict(counts=Counter(), wrong=["a replica does not answer"])
        else:
            verdict = judge(site.ledger.by_job(), answers, {}, lambda sent: sent.acknowledged is not None)
        if not verdict.wrong or time.monotonic() > end:
            return verdict
        time.sleep(0.5)


def _turn_all_pages(site: Replicas) -> None:
    """Compare many small pages with a few large ones."""
    paged, listed = site.pager.finish(), site.reader.all_jobs().keys()
    site.wrong.extend(f"{job_id} is on small pages or on large ones, not on both" for job_id in paged ^ listed)


def _outcome(site: Replicas, verdict: Verdict, faults: str) -> Outcome:
    histories = [service.history.read_text() if service.history.exists() else "" for service in site.services]
    told = "\n".join([*histories, *(service.log() for service in site.services)])
    tracebacks = ["a traceback in a replica's log"] if "Traceback" in told else []
    return Outcome(
        faults=faults,
        milliseconds=site.milliseconds,
        counts={
            "Messages": site.ledger.counts(),
            "Jobs": verdict.counts,
            "ListJobs": site.reader.counts,
            "Pages": site.pager.counts,
        },
        wrong=[*verdict.wrong, *site.wrong, *site.reader.wrong, *site.pager.wrong, *tracebacks],
    )
