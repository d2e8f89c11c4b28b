"""`jobindex watch` prints each job as it changes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from support.brokers import mosquitto, publish
from support.commands import jobindex
from support.served_fleet import QUEUED_AT, THING, served_fleet
from support.services import Service, running
from support.stub_server import answering, serving
from support.waiting import wait_until


class Watch:
    """A running `jobindex watch`."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path, notes: Path) -> None:
        self.process = process
        self._output = output
        self._notes = notes

    def text(self) -> str:
        """Return its standard output."""
        return self._output.read_text()

    def shows(self, text: str) -> bool:
        """Return whether its standard output contains a text."""
        return text in self.text()

    def notes(self) -> str:
        """Return its standard error."""
        return self._notes.read_text()

    def wait_for(self, **members: Any) -> dict[str, Any]:
        """Return the first line of JSON that has these members."""

        def found() -> list[dict[str, Any]]:
            complete = self.text().rpartition("\n")[0].splitlines()
            return [line for line in map(json.loads, complete) if members.items() <= line.items()]

        return wait_until(found, f"{members}\n{self.text()}{self.notes()}")[0]


@contextmanager
def watching(directory: Path, service: Service | str, *arguments: str) -> Iterator[Watch]:
    """Watch a service until Ctrl-C, which must end the command with 0."""
    name = "-".join(("watch", *arguments)).replace("/", "")
    url = service if isinstance(service, str) else service.url
    output, notes = directory / f"{name}.out", directory / f"{name}.err"
    with output.open("wb") as out, notes.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobindex", "watch", "--endpoint", url, *arguments],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=err,
        )
    watch = Watch(process, output, notes)
    try:
        wait_until(lambda: "Watching" in watch.notes(), "the watch")
        yield watch
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert "Traceback" not in watch.notes()
    finally:
        process.kill()
        process.wait()


def test_jobs_are_told_as_they_change(tmp_path: Path) -> None:
    """`watch` prints changed jobs, also deleted ones and those that a list adds or leaves out."""
    with served_fleet(tmp_path) as (service, port), watching(tmp_path, service, "--json") as watch:
        publish(port, [(f"{THING.format('pump-1')}/new-1/notify-namespace-acme", '{"job": {"status": "SCHEDULED"}}')])
        told = watch.wait_for(jobId="new-1")
        assert ("SCHEDULED", "acme", True) == (told["status"], told["namespaceId"], told["isStatusReported"])
        publish(port, [("$aws/events/job/new-1/completed", f'{{"timestamp": {QUEUED_AT + 10**7}}}')])
        watch.wait_for(jobId="new-1", status="COMPLETED")
        publish(port, [("$aws/events/job/new-1/deleted", f'{{"timestamp": {QUEUED_AT + 2 * 10**7}}}')])
        wait_until(lambda: "status" not in json.loads(watch.text().splitlines()[-1]), "the deletion")

        pending = f"{THING.format('pump-9')}/notify-namespace-acme"
        entry = {"jobId": "queued-1", "queuedAt": QUEUED_AT}
        publish(port, [(pending, json.dumps({"timestamp": QUEUED_AT, "jobs": {"QUEUED": [entry]}}))])
        watch.wait_for(jobId="queued-1", executions={"QUEUED": 1})
        publish(port, [(pending, json.dumps({"timestamp": QUEUED_AT + 1, "jobs": {}}))])
        watch.wait_for(jobId="queued-1", executions={"ENDED": 1}, status="IN_PROGRESS", isStatusReported=False)
        publish(port, [(f"{THING.format('pump-9')}/last-1/notify-namespace-acme", "{}")])
        watch.wait_for(jobId="last-1")
        # The first event may not name the jobs that changed just before it.
        first, *others = [json.loads(line)["jobId"] for line in watch.text().splitlines()]
        assert first in {None, "new-1"}
        assert {"new-1", "queued-1", "last-1"} == {*others, "new-1"}


def test_what_is_watched_can_be_narrowed(tmp_path: Path) -> None:
    """`watch` can be limited to one job or one namespace."""
    with (
        served_fleet(tmp_path) as (service, port),
        watching(tmp_path, service, "--job", "one") as one,
        watching(tmp_path, service, "--namespace-id", "acme") as acme,
    ):
        for job_id, namespace_id in (("two", "other"), ("one", "other"), ("three", "acme")):
            topic = f"{THING.format('t')}/{job_id}/notify-namespace-{namespace_id}"
            publish(port, [(topic, '{"job": {"status": "CANCELED"}}')])
        wait_until(lambda: "three" in acme.text() and "one" in one.text(), "the lines")
        (line,) = one.text().splitlines()
        assert ["one", "CANCELED", "other"] == line.split()[1:]
        (line,) = acme.text().splitlines()
        assert ["three", "CANCELED", "acme"] == line.split()[1:]


def test_an_inferred_status_is_not_printed_as_a_reported_one(tmp_path: Path) -> None:
    """A staged rollout that only lists show seems complete after each stage, which `watch` does not report."""
    with (
        mosquitto(tmp_path) as broker,
        running(Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
        watching(tmp_path, service, "--job", "staged") as watch,
    ):
        port = broker.port
        for stage in range(3):
            topic = f"{THING.format(f'pump-{stage}')}/notify-namespace-acme"
            entry = {"jobId": "staged", "queuedAt": QUEUED_AT + 100 * stage}
            for timestamp, jobs in ((100 * stage, {"QUEUED": [entry]}), (100 * stage + 50, {})):
                publish(port, [(topic, json.dumps({"timestamp": QUEUED_AT + timestamp, "jobs": jobs}))])
            ended = f"({stage + 1} ENDED)"
            wait_until(partial(watch.shows, ended), "the end of a stage")
            (staged,) = service.jobs().values()
            assert "COMPLETED" == staged["status"]
        publish(port, [("$aws/events/job/staged/completed", f'{{"timestamp": {QUEUED_AT + 400}}}')])
        wait_until(lambda: "COMPLETED" in watch.text(), "the completion")
        *inferred, last = watch.text().splitlines()
        assert {"staged  no status reported  acme"} == {
            line.partition("  ")[2].partition("  (")[0] for line in inferred
        }
        assert last.endswith("staged  COMPLETED  acme  (3 ENDED)")


CHANGE = b'retry: 2000\n\nevent: change\ndata: {"at": 1700000000, "jobs": ["j"]}\n\n'
JOB = b'{"jobId": "j", "status": "IN_PROGRESS", "isStatusReported": true}'
END = b"event: end\ndata: {}\n\n"


@contextmanager
def refusing(refusals: list[tuple[int, str, bytes]]) -> Iterator[str]:
    """Send a change, refuse later requests in each of these ways, then answer again; yield the URL."""
    left = list(refusals)
    has_told = False

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal has_told
            is_asked_for_events = self.path.startswith("/index/events")
            if has_told and left:
                self.answer(*left.pop(0))
            else:
                has_told = has_told or is_asked_for_events
                self.answer(200, "", CHANGE + END if is_asked_for_events else JOB)

        def answer(self, status: int, error: str, body: bytes) -> None:
            self.send_response_only(status)
            self.send_header("jobindex-freshness", "ingestion=connected, complete-since=@1")
            self.send_header("x-amzn-ErrorType", error)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    with serving(Answer) as url:
        yield url


def test_a_refusal_once_it_has_watched_is_no_end(tmp_path: Path) -> None:
    """A refusal after the first event does not end `watch`, whether a proxy or the service sends it."""
    refusals = [
        (400, "ThrottlingException", b'{"message": "Rate exceeded"}'),
        (502, "", b"<html>Bad gateway</html>"),
        (503, "ServiceUnavailableException", b'{"message": "Not now."}'),
        (404, "", b"404 page not found"),
        (200, "", b"<html>"),
    ]
    with refusing(refusals) as url, watching(tmp_path, url, "--json") as watch:
        watch.wait_for(jobId="j", status="IN_PROGRESS")
        wait_until(lambda: "the service ended the stream" in watch.notes(), "the end of the line")
    notes = watch.notes()
    # `watch` retries throttled requests as SDKs do, so they do not end the stream.
    assert "Rate exceeded" not in notes
    for reason in ("HTTP Error 502", "Not now.", "HTTP Error 404", "the service ended the stream"):
        assert 1 <= len([line for line in notes.splitlines() if reason in line and line.endswith("; retrying")])
    assert "has stopped" not in notes


def test_a_reason_is_told_once_while_it_lasts(tmp_path: Path) -> None:
    """A lasting reason is printed once, not at every attempt."""
    refusal = (503, "ServiceUnavailableException", b'{"message": "Not now."}')
    with refusing([refusal] * 3) as url, watching(tmp_path, url, "--json") as watch:
        wait_until(lambda: watch.notes().count("Watching ") > 1, "the return")
    assert 1 == watch.notes().count("Not now.; retrying")


def test_a_refusal_at_the_beginning_is_told() -> None:
    """A refusal at the start ends `watch` like any other command."""
    with answering(b"<html>", 502) as url:
        ended = jobindex("watch", "--endpoint", url)
        assert (1, f"jobindex watch: {url}: HTTP Error 502: Bad Gateway\n") == (ended.returncode, ended.stderr)
    with answering(b'{"message": "no"}', 400, x_amzn_ErrorType="InvalidRequestException") as url:
        ended = jobindex("watch", "--endpoint", url)
        assert (2, "jobindex watch: no\n") == (ended.returncode, ended.stderr)


def test_a_service_without_its_broker_is_watched_with_a_warning(tmp_path: Path) -> None:
    """`watch` warns, like other commands, if the service is not connected to its broker."""
    with answering(b"", jobindex_freshness="ingestion=connecting") as url, watching(tmp_path, url) as watch:
        wait_until(lambda: "The service is not connected to its broker: " in watch.notes(), "the warning")


def test_a_service_that_comes_back_is_watched_again(tmp_path: Path) -> None:
    """`watch` resumes after a restart, and warns that changes meanwhile were not printed."""
    with served_fleet(tmp_path) as (service, port), watching(tmp_path, service, "--json") as watch:
        service.stop()
        wait_until(lambda: "retrying" in watch.notes(), "the loss")
        service.start()
        wait_until(lambda: "changes until now were not printed" in watch.notes(), "the return")
        publish(port, [(f"{THING.format('t')}/back-1/notify-namespace-n", "{}")])
        watch.wait_for(jobId="back-1")
