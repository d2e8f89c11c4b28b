"""`jobindex sync` starts a sync with AWS in the service, and shows its progress."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.brokers import mosquitto
from support.commands import jobindex, start
from support.fake_aws import FakeAws
from support.fake_aws_faults import denied
from support.services import Service, running
from support.terminals import on_terminal
from support.waiting import wait_until

GROUPS_DETAILS = ("--groups", "--details")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
RUN: dict[str, Any] = {
    "id": 7,
    "kind": "fill",
    "withGroups": False,
    "requestedAt": 1795532400.5,
    "isComplete": False,
    "done": 0,
    "rows": 0,
    "calls": 0,
    "throttled": 0,
    "differences": 0,
    "problems": [],
}
STARTED = RUN | {
    "startedAt": 1795532401,
    "asOf": 1795532400,
    "phase": "jobs",
    "done": 2,
    "total": 8,
    "rows": 400,
    "calls": 3,
}
ENDED = STARTED | {"endedAt": 1795532500, "isComplete": True, "done": 8, "rows": 1200, "calls": 9}
OLDER = ENDED | {"id": 3, "requestedAt": 1795532100, "endedAt": 1795532200, "rows": 1}


def answer(*runs: dict[str, Any], **status: object) -> dict[str, Any]:
    """Return an answer of the service about runs, with members of the status."""
    return {"mode": "fill", **status, "runs": [*runs, OLDER]}


class SyncServer(ThreadingHTTPServer):
    """A service that answers each request with its next answer, and the last one again and again."""

    def __init__(self, *answers: dict[str, Any], port: int = 0) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, Any] | None]] = []
        super().__init__(("127.0.0.1", port), _Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def running(self) -> Iterator["SyncServer"]:
        """Serve requests until the end of the context."""
        with self:
            thread = threading.Thread(target=self.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield self
            finally:
                self.shutdown()
                thread.join()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, SyncServer)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        sent = (self.command, self.path, json.loads(body) if body else None)
        found = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        status = found.get("httpStatus", 200) if self.headers.get("x-jobindex") == "1" else 403
        self.send_response_only(status)
        self.send_header("jobindex-freshness", "ingestion=connected")
        if "errorType" in found:
            self.send_header("x-amzn-ErrorType", found["errorType"])
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())
        server.requests.append(sent)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@contextmanager
def syncing(*answers: dict[str, Any], port: int = 0) -> Iterator[SyncServer]:
    """Run a service that gives these answers."""
    with SyncServer(*answers, port=port).running() as server:
        yield server


def test_a_fill_is_requested_and_awaited() -> None:
    """The command requests a fill, polls until the run has ended, and prints its result."""
    with syncing(RUN, answer(STARTED), answer(ENDED)) as server:
        ended = jobindex("sync", "--endpoint", server.url)
    summary = "Fill complete: 1200 rows, 9 calls; as of 2026-11-24T15:00:00Z\n"
    assert (0, summary, "") == (ended.returncode, ended.stdout, ended.stderr)
    requested = ("POST", "/index/sync", {"kind": "fill", "withGroups": False})
    assert [requested, *[("GET", "/index/sync", None)] * 2] == server.requests


@pytest.mark.parametrize(
    ("options", "kind", "groups"),
    [
        (("--check", "active"), "active", False),
        (("--check", "all"), "all", False),
        (("--check", "pending"), "pending", False),
        (("--details",), "details", False),
        (("--groups",), "fill", True),
    ],
)
def test_options_select_the_kind_of_run(options: tuple[str, ...], kind: str, groups: bool) -> None:  # noqa: FBT001
    """Each option is in the request; the command awaits the run of its request."""
    others = STARTED | {"id": 6, "kind": "job", "jobId": "job-1"}, ENDED | {"id": 5, "kind": kind}
    mine = {"kind": kind, "withGroups": groups}
    with syncing(RUN | mine, answer(*others, RUN | mine), answer(*others, ENDED | mine)) as server:
        ended = jobindex("sync", *options, "--endpoint", server.url)
    assert (0, "") == (ended.returncode, ended.stderr)
    assert ("POST", "/index/sync", mine) == server.requests[0]
    assert 3 == len(server.requests)


def test_a_check_prints_its_differences() -> None:
    """The number of differences is part of a check's result."""
    check = ENDED | {"kind": "all", "differences": 1, "throttled": 4}
    with syncing(RUN, answer(check)) as server:
        ended = jobindex("sync", "--check", "all", "--endpoint", server.url)
    expected = "Check (all) complete: 1200 rows, 9 calls, 4 throttled, 1 difference; as of 2026-11-24T15:00:00Z\n"
    assert (0, expected) == (ended.returncode, ended.stdout)


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_run_with_problems_fails(is_complete: bool) -> None:  # noqa: FBT001
    """The problems are listed, escaped, and the exit status is 1, even if the run is complete."""
    denied = "ListThingGroups: AccessDeniedException: not \x1b[31m authorized"
    run = ENDED | {"isComplete": is_complete, "problems": [denied]}
    with syncing(RUN, answer(run)) as server:
        ended = jobindex("sync", "--endpoint", server.url)
    assert 1 == ended.returncode
    first, problem = ended.stdout.splitlines()
    assert f"Fill {'complete' if is_complete else 'not complete'}: " == first[: first.index(":") + 2]
    assert "problem: ListThingGroups: AccessDeniedException: not \\x1b[31m authorized" == problem


def test_an_incomplete_run_fails() -> None:
    """A run can end incomplete, for example because another one replaced it."""
    with syncing(RUN, answer(ENDED | {"isComplete": False})) as server:
        ended = jobindex("sync", "--endpoint", server.url)
    assert (1, True) == (ended.returncode, ended.stdout.startswith("Fill not complete: "))


def test_a_run_can_be_left_alone() -> None:
    """With --no-wait the command ends after its request; the exit status is 0 although the run has not ended."""
    with syncing(RUN) as server:
        ended = jobindex("sync", "--no-wait", "--endpoint", server.url)
        assert (0, "Fill requested: 0 rows, 0 calls\n") == (ended.returncode, ended.stdout)
        ended = jobindex("sync", "--no-wait", "--json", "--endpoint", server.url)
        assert (0, RUN) == (ended.returncode, json.loads(ended.stdout))
    assert ["POST", "POST"] == [method for method, _, _ in server.requests]


def test_json_is_the_last_answer() -> None:
    """The notes are on standard error, and stdout has one object."""
    last = answer(ENDED | {"problems": ["x"]})
    with syncing(RUN, answer(RUN, reason="no credentials"), last) as server:
        ended = jobindex("sync", "--json", "--endpoint", server.url)
    assert (1, last, "waiting: no credentials\n") == (ended.returncode, json.loads(ended.stdout), ended.stderr)
    assert 1 == ended.stdout.count("\n")


def test_the_reason_of_waiting_is_printed_once() -> None:
    """Without credentials a run waits, and the command says why; another reason is a new line."""
    first, second = answer(RUN, reason="no credentials"), answer(STARTED, reason="throttled")
    with syncing(RUN, first, first, second, answer(ENDED)) as server:
        ended = jobindex("sync", "--endpoint", server.url)
    assert (0, "waiting: no credentials\nwaiting: throttled\n") == (ended.returncode, ended.stderr)


def test_a_restart_of_the_service_is_survived() -> None:
    """The command awaits a service that is away, and one that is not ready."""
    away = {"httpStatus": 503, "errorType": "ServiceUnavailableException", "message": "The service is stopping."}
    with syncing(RUN, away) as server:
        arguments = ("sync", "--endpoint", server.url)
        results = []
        command = threading.Thread(target=lambda: results.append(jobindex(*arguments)))
        command.start()
        wait_until(lambda: len(server.requests) > 1, "the refused request")
        port = server.server_port
    with syncing(answer(ENDED), port=port):
        command.join(60)
    [ended] = results
    assert (0, True) == (ended.returncode, ended.stdout.startswith("Fill complete: "))
    assert "waiting: The service is stopping.\n" in ended.stderr


def test_a_revoked_key_ends_the_command() -> None:
    """A refusal is not a restart."""
    refused = {"httpStatus": 403, "errorType": "AccessDeniedException", "message": "The role does not permit it."}
    with syncing(RUN, refused) as server:
        ended = jobindex("sync", "--endpoint", server.url)
    assert (1, "jobindex sync: The role does not permit it.\n") == (ended.returncode, ended.stderr)


def test_a_run_that_is_no_longer_reported_ends_the_command() -> None:
    """For example, the index was replaced meanwhile."""
    with syncing(RUN, answer()) as server:
        ended = jobindex("sync", "--endpoint", server.url)
    assert (1, True) == (ended.returncode, "no longer reports the run" in ended.stderr)


def test_a_service_without_sync_names_the_setting(tmp_path: Path) -> None:
    """The message of the service is the message of the command; the status says it, too."""
    with (
        mosquitto(tmp_path) as broker,
        running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
    ):
        ended = jobindex("sync", "--endpoint", service.url)
        status = jobindex("sync", "--status", "--endpoint", service.url)
    message = "The sync with AWS is off. JOBINDEX_AWS_SYNC=fill or =check turns it on."
    assert (2, f"jobindex sync: {message}\n") == (ended.returncode, ended.stderr)
    assert (0, "mode:          off") == (status.returncode, status.stdout.splitlines()[0])


def test_a_service_is_filled_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands start runs of a real service; a denied operation is a problem of the run."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    yesterday = int(time.time() * 1000) - 86_400_000
    with FakeAws() as aws, mosquitto(tmp_path) as broker:
        for number in range(300):
            aws.fleet.add_job(f"job-{number}", status="COMPLETED", last_updated_at=yesterday, completed_at=yesterday)
        aws.fleet.add_group("pumps", "pump-1", "pump-2", "pump-9")
        aws.fleet.jobs["job-1"].execute("pump-1", "SUCCEEDED")
        aws.fault("ListDeployments", denied("ListDeployments"))
        settings = {"AWS_SYNC": "check", "AWS_ENDPOINT_URL": aws.url, "AWS_SYNC_RATE": "500"}
        with running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", **settings)) as service:
            ended = jobindex("sync", "--endpoint", service.url)
            first, problem = ended.stdout.splitlines()
            assert (1, "Fill complete: ") == (ended.returncode, first[:15])
            assert problem.startswith("problem: ListDeployments: AccessDeniedException: ")
            assert 300 == len(service.jobs())
            aws.heal()
            with aws.lock:
                del aws.fleet.jobs["job-7"]
            ended = jobindex("sync", "--check", "all", "--endpoint", service.url)
            assert (0, True) == (ended.returncode, ", 1 difference; as of " in ended.stdout)
            assert 299 == len(service.jobs())
            status = jobindex("sync", "--status", "--json", "--endpoint", service.url)
            runs = [(run["kind"], run["isComplete"]) for run in json.loads(status.stdout)["runs"]]
            assert {("fill", True), ("all", True)} <= set(runs)
            assert [0, 0] == [
                jobindex("sync", option, "--endpoint", service.url).returncode for option in GROUPS_DETAILS
            ]
            group = jobindex("things", "--group", "pumps", "--endpoint", service.url)
            things = [["THING", "INDEX"], ["pump-1", "known"], *([f"pump-{n}", "never", "heard", "of"] for n in (2, 9))]
            assert (0, things) == (group.returncode, [line.split() for line in group.stdout.splitlines()])
            assert re.fullmatch(r"AWS listed this group as of 20\d\d-\S+Z\.\n", group.stderr)
            group = jobindex("things", "--group", "pumps", "--limit", "1", "--json", "--endpoint", service.url)
            assert {"thingName": "pump-1", "isHeardOf": True} == json.loads(group.stdout)
            assert "There are more than these 1: raise --limit.\n" == group.stderr


def test_ctrl_c_leaves_the_run(tmp_path: Path) -> None:
    """The command says that the run goes on, and ends with the exit status of SIGINT."""
    output, errors = tmp_path / "out", tmp_path / "err"
    with syncing(RUN, answer(STARTED)) as server:
        arguments = ("sync", "--endpoint", server.url)
        process = start(*arguments, environment=dict(os.environ), output=output, errors=errors)
        wait_until(lambda: len(server.requests) > 2, "the polling")
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(30)
    assert ("", "The fill goes on in the service: see `jobindex sync --status`.\n") == (
        output.read_text(),
        errors.read_text(),
    )
    assert {"GET"} == {method for method, _, _ in server.requests[1:]}


def test_a_terminal_shows_the_progress() -> None:
    """The bar has the phase, its items, rows, calls, throttled calls and the time left."""
    running = answer(STARTED | {"throttled": 2}, kind="fill", secondsLeft=125)
    preempted = answer(STARTED | {"phase": "groups"}, kind="pending", reason="throttled")
    with syncing(RUN, running, running, preempted, preempted, answer(ENDED)) as server:
        status, drawn = on_terminal("sync", "--endpoint", server.url)
    drawn = CONTROL.sub("", drawn)
    assert 0 == status
    assert re.search(r"Fill: jobs ━+.* 2/8 0:00:0\d 400 rows, 3 calls, 2 throttled, 2m 05s left", drawn)
    assert re.search(r"Fill: groups ━+.* 400 rows, 3 calls, waiting for another run \(pending\)", drawn)
    assert "waiting: throttled" in drawn.replace("\r", "\n").splitlines()
    assert "Fill complete: 1200 rows" in drawn


def test_the_status_starts_nothing() -> None:
    """The status has the times, the run, the reason and problems; the table has the last runs."""
    check = STARTED | {"id": 9, "kind": "active", "differences": 3}
    content = answer(
        *(check, ENDED | {"isComplete": False}),
        kind="active",
        phase="jobs",
        done=2,
        total=8,
        rows=400,
        calls=3,
        throttled=0,
        secondsLeft=70,
        reason="ListJobs: no answer",
        problems=["events are off"],
    )
    content |= {"mode": "check", "filled": 1795532400, "reconciled": 1795536000}
    with syncing(content) as server:
        ended = jobindex("sync", "--status", "--endpoint", server.url)
        told = jobindex("sync", "--status", "--json", "--endpoint", server.url)
    expected = """\
mode:          check
filled:        2026-11-24T15:00:00Z
reconciled:    2026-11-24T16:00:00Z
running:       check (active), jobs 2 of 8, 1m 10s left
waiting:       ListJobs: no answer
problem:       events are off

ID  KIND            REQUESTED             ENDED                 RESULT        ROWS  CALLS  THROTTLED  DIFFERENCES
9   check (active)  2026-11-24T15:00:00Z  -                     running       400   3      0          3
7   fill            2026-11-24T15:00:00Z  2026-11-24T15:01:40Z  not complete  1200  9      0          0
3   fill            2026-11-24T14:55:00Z  2026-11-24T14:56:40Z  complete      1     9      0          0
"""
    assert (0, expected, "") == (ended.returncode, ended.stdout, ended.stderr)
    assert (0, content) == (told.returncode, json.loads(told.stdout))
    assert {"GET"} == {method for method, _, _ in server.requests}


def test_a_total_that_was_exceeded_is_left_out() -> None:
    """A phase can find more items than it has counted at its start."""
    with syncing({"mode": "fill", **STARTED, "done": 9, "problems": [], "runs": []}) as server:
        ended = jobindex("sync", "--status", "--endpoint", server.url)
    assert "running:       fill, jobs 9" in ended.stdout.splitlines()


def test_the_status_of_an_index_without_runs() -> None:
    """Unknown times are dashes."""
    with syncing({"mode": "off", "runs": []}) as server:
        ended = jobindex("sync", "--status", "--endpoint", server.url)
    expected = "mode:          off\nfilled:        -\nreconciled:    -\n\n"
    notes = "No run has been requested.\nThe sync with AWS is off: JOBINDEX_AWS_SYNC turns it on.\n"
    assert (0, expected, notes) == (ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--check", "job"), "'job' is not one of active, all, pending"),
        (("--check", "all", "--details"), "give --check or --details, not both"),
        (("--check", "all", "--groups"), "only a fill lists thing groups"),
        (("--details", "--groups"), "only a fill lists thing groups"),
        (("--status", "--no-wait"), "shows runs and starts none"),
        (("--status", "--details"), "shows runs and starts none"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: tuple[str, ...], message: str) -> None:
    """Nothing is requested."""
    ended = jobindex("sync", *options, "--endpoint", "http://127.0.0.1:1")
    assert (2, True) == (ended.returncode, message in ended.stderr)


def test_no_service_is_reported() -> None:
    """As by the other commands: exit status 3."""
    assert 3 == jobindex("sync", "--endpoint", "http://127.0.0.1:1").returncode
