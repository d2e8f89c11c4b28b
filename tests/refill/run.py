"""A fill: a service fills its index from another one, is killed on the way, and goes on."""

import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from support.brokers import mosquitto
from support.counting_proxy import CountingProxy, ProxiedCall
from support.services import Service, running
from support.sync_runs import CREDENTIALS
from support.waiting import wait_until

from jobindex.model.sync import SyncKind
from refill.lists import Comparison, compare
from refill.source import Source, make_source

PEAK_MAXIMUM_MIB = 200
"""The limit of the peak memory of the service, with its writing process."""
CALLS_OF_A_KILL = 5
"""Calls that a kill may cause again: those of the step that was not committed, and of the first one."""

_UNLIMITED = 999_999.0
_LOOK_SECONDS = 0.05
_STALLED_SECONDS = 120
_PROCESSES = ("service", "writer")
_ACCOUNT = {"AWS_REGION": "eu-central-1", "AWS_ACCOUNT_ID": "123456789012"}
_SWITCHED_OFF = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@dataclass(slots=True, kw_only=True)
class Refill:
    """The figures of a fill, and what is wrong."""

    rate: float | None
    source: Source
    seconds: float = 0
    """From the first start until the index is filled, with the restarts."""
    phases: dict[str, float] = field(default_factory=dict)
    """The seconds of each phase, in order."""
    calls: Counter[str] = field(default_factory=Counter)
    """By operation."""
    busiest: Mapping[str, int] = field(default_factory=dict)
    """The most calls within a second, by operation."""
    kills: list[str] = field(default_factory=list)
    """Where each kill was, and where the fill went on."""
    peaks: dict[str, float] = field(default_factory=dict)
    """The peak memory of each process, in MiB."""
    problems: Sequence[str] = ()
    """What the fill says that it could not get."""
    comparison: Comparison = field(default_factory=Comparison)
    wrong: list[str] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The sum of the peaks, in MiB; pages that both processes share count twice."""
        return sum(self.peaks.values())

    def judge(self) -> None:
        """Add what is wrong with the figures."""
        self.wrong += self.comparison.wrong(self.source)
        if self.peak > PEAK_MAXIMUM_MIB:
            self.wrong.append(f"the service took {self.peak:.0f} MiB, more than {PEAK_MAXIMUM_MIB}")
        calls, expected = self.calls.total(), self.source.calls
        if not expected <= calls <= expected + CALLS_OF_A_KILL * len(self.kills):
            self.wrong.append(f"{calls} calls instead of {expected}, and {CALLS_OF_A_KILL} for each kill")
        for operation, most in self.busiest.items():
            if self.rate is not None and most > self.rate + 1:
                self.wrong.append(f"{most} calls of {operation} within a second, more than {self.rate} + 1")

    def __str__(self) -> str:
        compared = self.comparison
        lines = [
            f"{self.source.jobs:,} jobs in {self.seconds:.1f} s, {self.source.jobs / self.seconds:.0f} per second",
            f"limit: {self.rate or 'no'} calls per second to each operation",
            "seconds: " + ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in self.phases.items()),
            f"calls: {self.calls.total()} ({self.source.calls} without kills): " + _counts(self.calls),
            "most calls within a second: " + _counts(self.busiest),
            *(f"killed {kill}" for kill in self.kills),
            f"peak memory (VmHWM): {self.peak:.1f} MiB: "
            + ", ".join(f"{name} {peak:.1f}" for name, peak in self.peaks.items()),
            f"compared: {compared.pages} pages with {compared.jobs} jobs, {compared.pending} pending executions",
            *(f"problem of the fill: {problem}" for problem in self.problems),
            *(f"WRONG: {problem}" for problem in self.wrong),
        ]
        return "\n".join(lines)


def refill(directory: Path, *, jobs: int, kills: int, rate: float | None = None, seed: int = 1) -> Refill:
    """Fill an index from a source of `jobs` jobs, killed `kills` times on the way, and compare the two."""
    folders = [directory / name for name in ("broker", "source", "filled")]
    for folder in folders:
        folder.mkdir()
    at_broker, at_source, at_filled = folders
    source = make_source(at_source / "jobindex.db", jobs)
    result = Refill(rate=rate, source=source)
    with mosquitto(at_broker) as broker:
        common = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}", **_ACCOUNT}
        upstream = Service(at_source, MQTT_CLIENT_ID="source", **common)
        with running(upstream), CountingProxy(upstream.url) as proxy:
            filling = Service(
                at_filled,
                {**CREDENTIALS, **_SWITCHED_OFF},
                MQTT_CLIENT_ID="filled",
                **common,
                AWS_SYNC="fill",
                AWS_ENDPOINT_URL=proxy.url,
                AWS_SYNC_RATE=f"{rate or _UNLIMITED:.3f}",
                AWS_SYNC_NAMESPACES=",".join(name for name in source.namespaces if name),
            )
            _Filling(result, filling, proxy).run(_moments(source, kills, Random(seed)))
            filled = Service(at_filled, MQTT_CLIENT_ID="filled", **common)
            with running(filled):
                result.comparison = compare(source, upstream.url, filled.url)
    result.judge()
    return result


def _moments(source: Source, kills: int, random: Random) -> list[int]:
    """Return after how many calls to kill: in turn while jobs are listed, and while executions are.

    The last third of the calls is left out, because a short fill may end before it is seen to be there.
    """
    listing, executions = source.listing_calls, source.calls - source.listing_calls
    spans = [(2, listing - 1), (listing + 1, listing + executions * 2 // 3)]
    return sorted(random.randint(*spans[number % 2]) for number in range(kills))


class _Filling:
    """Follows a fill until the index is filled."""

    def __init__(self, result: Refill, service: Service, proxy: CountingProxy) -> None:
        self._result = result
        self._service = service
        self._proxy = proxy
        self._phase = "start"
        self._since = 0.0

    def run(self, moments: Sequence[int]) -> None:
        """Start the service, kill it at these numbers of calls, and stop it when its index is filled."""
        result, left = self._result, [*moments]
        started = self._since = time.monotonic()
        with running(self._service):
            while "filled" not in (ready := self._look()):
                if left and len(self._proxy.calls) >= left[0]:
                    left.pop(0)
                    self._kill()
                time.sleep(_LOOK_SECONDS)
            calls = _of_fill(self._proxy.calls)
            self._enter("")
            result.seconds = time.monotonic() - started
            result.problems = [*ready["sync"].get("problems", ())]
            self._note_peaks()
        result.calls = Counter(call.operation for call in calls)
        result.busiest = self._proxy.most_within(1)
        if left:
            result.wrong.append(f"the fill ended before {len(left)} kills")

    def _look(self) -> Mapping[str, Any]:
        """Return what /readyz says."""
        ready = self._service.readyz()
        if (phase := ready["sync"].get("phase")) is not None and ready["sync"]["kind"] == SyncKind.FILL:
            self._enter(phase)
        calls = self._proxy.calls
        if calls and time.monotonic() - calls[-1].time > _STALLED_SECONDS:
            raise AssertionError(f"no call for {_STALLED_SECONDS} s: {ready}\n{self._service.log()}")
        return ready

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            now = time.monotonic()
            seconds = self._result.phases.get(self._phase, 0) + now - self._since
            self._result.phases[self._phase] = seconds
            self._phase, self._since = phase, now

    def _kill(self) -> None:
        """Kill the service and start it again; the fill has to go on where it was."""
        self._note_peaks()
        status = self._look()["sync"]
        self._service.kill()
        calls = len(self._proxy.calls)
        self._service.start()
        after = wait_until(self._advancing, "the fill to go on", 60)
        self._result.kills.append(
            f"after {calls} calls in {status['phase']!r} with {status['rows']} rows; "
            f"it went on in {after['phase']!r} with {after['rows']}"
        )
        if after["rows"] < status["rows"]:
            self._result.wrong.append(f"rows were lost by a kill: {self._result.kills[-1]}")

    def _advancing(self) -> Mapping[str, Any]:
        sync: Mapping[str, Any] = self._service.readyz()["sync"]
        return sync if "phase" in sync else {}

    def _note_peaks(self) -> None:
        """Note the peak resident memory of each process (Linux); the writer starts with the first write."""
        for name, pid in zip(_PROCESSES, self._service.pids(), strict=False):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            assert found is not None
            self._result.peaks[name] = max(self._result.peaks.get(name, 0), int(found[1]) / 1024)


def _of_fill(calls: Sequence[ProxiedCall]) -> Sequence[ProxiedCall]:
    """Return the calls before those of the details, which follow: a fill describes jobs before it lists executions."""
    operations = [call.operation for call in calls]
    listed = operations.index("ListJobExecutionsForJob")
    described = operations.index("DescribeJob", listed) if "DescribeJob" in operations[listed:] else len(operations)
    return [*calls[:described]]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
