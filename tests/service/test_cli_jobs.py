"""`jobindex list`, `show` and `export`: the jobs of a running service."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.brokers import publish
from support.commands import jobindex
from support.served_fleet import JOBS, QUEUED_AT, THING, served_fleet
from support.services import Service, running
from support.stub_server import answering
from support.waiting import wait_until

MANY = 260
"""More jobs than one answer of ListJobs has."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service with the fleet in its index."""
    with served_fleet(tmp_path_factory.mktemp("jobs")) as (service, _):
        yield service


def lines(service: Service, *arguments: object) -> list[dict[str, Any]]:
    """Return the JSON lines that a command prints."""
    ended = jobindex(*arguments, "--endpoint", service.url)
    assert (0, "") == (ended.returncode, ended.stderr)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def ids(service: Service, *arguments: object) -> list[str]:
    """Return the ids of the jobs that `jobindex list` prints."""
    return [job["jobId"] for job in lines(service, "list", "--json", *arguments)]


def test_jobs_are_listed_as_listjobs_lists_them(service: Service) -> None:
    """`list --json` prints the JobSummaries of ListJobs, newest first."""
    (page,) = service.client().get_paginator("list_jobs").paginate()
    assert [job["jobId"] for job in page["jobs"]] == ids(service)
    assert set(ids(service)) == JOBS
    (job,) = lines(service, "list", "--json", "--thing-group-name", "pumps")
    expected = {
        "jobArn": "arn:aws:iot:us-east-1:000000000000:job/update-7",
        "jobId": "update-7",
        "status": "IN_PROGRESS",
        "targetSelection": "SNAPSHOT",
        "createdAt": QUEUED_AT,
        "lastUpdatedAt": QUEUED_AT + 9,
    }
    assert expected == job


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--namespace-id", "acme"), {"update-7", "update-8"}),
        (("--namespace-id", "acme", "--status", "IN_PROGRESS"), {"update-7", "update-8"}),
        (("--status", "canceled"), {"check-1"}),
        (("--target-selection", "SNAPSHOT"), {"update-7"}),
        (("--prefix", "up"), {"update-7", "update-8"}),
        (("--prefix", "up", "--target-selection", "SNAPSHOT"), {"update-7"}),
        (("--prefix", "none"), set()),
    ],
)
def test_filters_are_those_of_listjobs(service: Service, arguments: tuple[str, ...], expected: set[str]) -> None:
    """The filters of ListJobs combine with AND, also with --prefix."""
    assert expected == set(ids(service, *arguments))


def test_a_pipe_gets_aligned_text(service: Service) -> None:
    """A pipe gets a header and a line for each job, aligned and without colours."""
    ended = jobindex("list", "--namespace-id", "other", "--endpoint", service.url)
    header, line = ended.stdout.splitlines()
    assert [
        "JOB",
        "NAMESPACE",
        "STATUS",
        "SELECTION",
        "THING",
        "GROUP",
        "CREATED",
        "UPDATED",
        "COMPLETED",
    ] == header.split()
    assert ["check-1", "other", "CANCELED", "-", "-"] == line.split()[:5]
    assert "\x1b" not in ended.stdout


def test_an_inferred_status_is_listed_as_one(service: Service) -> None:
    """An inferred status is marked, also under --namespace-id."""
    _, *rows = jobindex("list", "--namespace-id", "acme", "--endpoint", service.url).stdout.splitlines()
    statuses = {row.split()[0]: row.split()[2:4] for row in rows}
    assert {"update-7": ["IN_PROGRESS", "SNAPSHOT"], "update-8": ["IN_PROGRESS", "(inferred)"]} == statuses


def test_the_namespace_of_each_job_is_listed(service: Service) -> None:
    """The namespace of each job is listed, or a dash if none is known."""
    for arguments in ((), ("--prefix", "")):
        _, *rows = jobindex("list", *arguments, "--endpoint", service.url).stdout.splitlines()
        namespaces = dict(row.split()[:2] for row in rows)
        assert {"update-7": "acme", "update-8": "acme", "check-1": "other", "plain-1": "-"} == namespaces


def test_it_is_told_when_more_follow(service: Service) -> None:
    """If more jobs follow, a note on standard error says so, and standard output stays parseable."""
    for arguments in (("--limit", 2), ("--limit", 1, "--prefix", "u")):
        ended = jobindex("list", *arguments, "--endpoint", service.url)
        assert (0, 1 + arguments[1]) == (ended.returncode, len(ended.stdout.splitlines()))
        assert f"There are more than these {arguments[1]}: raise --limit" in ended.stderr


def test_the_address_is_that_of_the_settings(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands use the address of the settings, and no proxy of the environment."""
    port = service.url.rpartition(":")[2]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    ended = jobindex("list", "--json", HTTP_PORT=port)
    assert (0, len(JOBS)) == (ended.returncode, len(ended.stdout.splitlines()))


def test_a_job_is_shown_with_all_that_is_known(service: Service) -> None:
    """`show` prints the reported and inferred facts of a job, its executions and its changes."""
    shown = jobindex("show", "update-7", "--endpoint", service.url)
    assert (0, "") == (shown.returncode, shown.stderr)
    assert "namespace:     acme\n" in shown.stdout
    assert "status:        IN_PROGRESS (reported)\n" in shown.stdout
    assert "group names:   pumps\n" in shown.stdout
    assert "created:       2023-11-14T22:13:20Z (reported)\n" in shown.stdout
    assert "executions:    1 of 2 known have ended: 1 QUEUED, 1 SUCCEEDED\n" in shown.stdout
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert ["pump-1", "QUEUED", "2023-11-14T22:13:20Z", "2023-11-14T22:13:29Z", "-", "-"] in rows
    assert ["pump-2", "SUCCEEDED", "-", "2023-11-14T22:13:27Z", "1", "-"] in rows
    assert ["-", "IN_PROGRESS", "acme", "reported", "message"] == rows[-1][1:]
    inferred = jobindex("show", "update-8", "--endpoint", service.url).stdout
    assert "status:        IN_PROGRESS (inferred)\n" in inferred


def test_a_job_is_shown_to_programs(service: Service) -> None:
    """`show --json` prints one object with the job, its executions and its changes."""
    (shown,) = lines(service, "show", "update-7", "--json")
    assert ["job", "executions", "changes"] == list(shown)
    assert ("acme", {"QUEUED": 1, "SUCCEEDED": 1}) == (shown["job"]["namespaceId"], shown["job"]["executions"])
    assert ["pump-1", "pump-2"] == [execution["thingName"] for execution in shown["executions"]]
    assert ["IN_PROGRESS"] == [change["status"] for change in shown["changes"]]
    ended = jobindex("show", "update-7", "--limit", 1, "--endpoint", service.url)
    assert "1 execution more" in ended.stderr


def test_exit_statuses_tell_what_happened(service: Service) -> None:
    """The exit status is 1 for an unknown name, 2 for a wrong call and 3 if no service answers."""
    for command in (("show", "nothing"), ("things", "nothing")):
        ended = jobindex(*command, "--endpoint", service.url)
        assert (1, "") == (ended.returncode, ended.stdout)
        assert f"jobindex {command[0]}: " in ended.stderr
        assert "nothing cannot be found" in ended.stderr
    assert 1 == jobindex("list", "--thing-group-name", "nobody", "--endpoint", service.url).returncode
    ended = jobindex("list", "--namespace-id", "!", "--endpoint", service.url)
    assert (2, "", True) == (ended.returncode, ended.stdout, "Value '!' at 'namespaceId'" in ended.stderr)
    for arguments in (("--status", "DONE"), ("--limit", 0)):
        assert 2 == jobindex("list", *arguments).returncode
    for name in ("list", "show job", "things", "stuck", "namespaces", "watch", "export"):
        ended = jobindex(*name.split(), HTTP_PORT=1)
        expected = f"jobindex {name.split()[0]}: http://127.0.0.1:1: [Errno 111] Connection refused; is the service"
        assert (3, "", expected) == (ended.returncode, ended.stdout, ended.stderr[: len(expected)])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host",
        "http://",
        "http://[::1",
        "http://a..b/",
        "http://127.0.0.1:abc",
        "http://127.0.0.1:0",
        "http://ho st:1",
        "http://ho\tst:1",
        "http://user:word@host:1",
        "http://host/\u00e4",
        "http://host?",
        "http://host#",
    ],
)
def test_what_is_no_address_is_a_wrong_call(url: str) -> None:
    """An invalid --endpoint is reported before any request."""
    ended = jobindex("list", "--endpoint", url)
    assert (2, "") == (ended.returncode, ended.stdout)
    told = " ".join(ended.stderr.replace("│", " ").split())  # typer draws a box around the message
    assert ("--endpoint" in told, told.count("is not http://HOST:PORT")) == (True, 1)


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_host_of_the_settings_that_cannot_be_one_does_not_answer(host: str) -> None:
    """A host that cannot exist is reported like a service that does not answer, without a traceback."""
    for command, status in (("list", 3), ("healthcheck", 1)):
        ended = jobindex(command, HTTP_HOST=host)
        assert (status, "", False) == (ended.returncode, ended.stdout, "Traceback" in ended.stderr)


def test_another_server_is_told_from_a_jobindex() -> None:
    """Each command recognizes another server, even if it answers with JSON."""
    with answering(b'{"ready": 1}') as url:
        for command in ("list", "show j", "things", "things t", "stuck", "namespaces", "export", "watch"):
            ended = jobindex(*command.split(), "--endpoint", url)
            expected = f"jobindex {command.split()[0]}: {url}: this is not an answer from jobindex: it has no header "
            assert (1, "", f"{expected}jobindex-freshness\n") == (ended.returncode, ended.stdout, ended.stderr)
        assert "Traceback" not in jobindex("doctor", "--endpoint", url).stderr
    with answering(b"{}") as url:
        assert f"service: the server at {url} is not jobindex\n" in jobindex("doctor", "--endpoint", url).stdout


def test_output_that_nobody_reads_ends_a_command(service: Service) -> None:
    """A command with closed output ends silently, with the exit status of SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for command in ("list", "list --json", "namespaces", "export", "--help"):
            ended = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "jobindex",
                    *command.split(),
                    *(["--endpoint", service.url] * (command[0] != "-")),
                ],
                stdout=writing,
                stderr=subprocess.PIPE,
                check=False,
                timeout=60,
            )
            assert (141, b"") == (ended.returncode, ended.stderr)
    finally:
        os.close(writing)


def test_ctrl_c_ends_a_command() -> None:
    """Ctrl-C ends a command with the exit status of SIGINT and without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [
            sys.executable,
            "-m",
            "jobindex",
            "list",
            "--endpoint",
            f"http://127.0.0.1:{listening.getsockname()[1]}",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        listening.settimeout(30)
        asked, _ = listening.accept()
        with asked:
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
    assert (130, False) == (process.returncode, b"Traceback" in told)


def test_all_jobs_are_exported(tmp_path: Path) -> None:
    """`export` writes every job once, and replaces the file only when it is complete."""
    with served_fleet(tmp_path) as (service, port):
        topic = f"{THING.format('t')}/bulk-{{:03}}/notify-namespace-bulk"
        publish(port, [(topic.format(number), "{}") for number in range(MANY)])
        wait_until(lambda: len(service.jobs()) == MANY + len(JOBS), "the jobs")
        expected = [job for page in service.client().get_paginator("list_jobs").paginate() for job in page["jobs"]]
        assert [job["jobId"] for job in expected] == [job["jobId"] for job in lines(service, "export")]
        assert MANY == len(lines(service, "export", "--namespace-id", "bulk"))
        file = tmp_path / "jobs.jsonl"
        file.write_text("former")
        ended = jobindex("export", "--output", file, "--endpoint", service.url)
        assert (0, "", f"{file}: {MANY + len(JOBS)} jobs\n") == (ended.returncode, ended.stdout, ended.stderr)
        assert MANY + len(JOBS) == len({json.loads(line)["jobId"] for line in file.read_text().splitlines()})
        exported = file.read_text()
    ended = jobindex("export", "--output", file, "--endpoint", service.url)
    assert (3, exported) == (ended.returncode, file.read_text())
    assert [] == list(tmp_path.glob("*.partial")) + list(tmp_path.glob(".*.partial"))
    ended = jobindex("export", "--output", tmp_path / "none" / "jobs", "--endpoint", service.url)
    assert (1, True) == (ended.returncode, "No such file or directory" in ended.stderr)


def test_it_is_told_when_the_answer_may_lack_something(tmp_path: Path) -> None:
    """Each command warns if the service is not connected to its broker."""
    told = "The service is not connected to its broker: the answer may be out of date. See `jobindex doctor`.\n"
    with running(Service(tmp_path, MQTT_URL="mqtt://127.0.0.1:1"), until="connecting") as service:
        for command in (
            "list --json",
            "list --prefix a --json",
            "export",
            "stuck --json",
            "things --json",
            "namespaces --json",
        ):
            ended = jobindex(*command.split(), "--endpoint", service.url)
            assert (0, "", told) == (ended.returncode, ended.stdout, ended.stderr)
        for command in ("show j", "things t"):
            ended = jobindex(*command.split(), "--endpoint", service.url)
            assert (1, True, True) == (ended.returncode, told in ended.stderr, "cannot be found" in ended.stderr)
        assert "" == jobindex("rejected", "list", "--json", HTTP_PORT=service.url.rpartition(":")[2]).stderr


def test_it_is_told_when_the_index_is_not_complete() -> None:
    """A command warns of an incomplete index, even if the service is connected."""
    body = b'{"jobs": [], "namespaces": [], "things": [], "executions": []}'
    with answering(body, jobindex_freshness="ingestion=connected") as url:
        for command in ("list", "export", "stuck", "things", "namespaces"):
            ended = jobindex(command, "--endpoint", url)
            assert (0, True) == (ended.returncode, "The index is not complete: " in ended.stderr)
