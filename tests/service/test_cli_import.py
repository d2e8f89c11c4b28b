"""`jobindex import`: files and standard input, into a running service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.brokers import mosquitto
from support.commands import jobindex, piped
from support.services import Service, running

from jobindex.cli.demo.nats import free_port

JOB: dict[str, Any] = {
    "jobArn": "arn:aws:iot:us-east-1:123456789012:job/update-7",
    "jobId": "update-7",
    "targetSelection": "SNAPSHOT",
    "status": "IN_PROGRESS",
    "createdAt": "2026-11-24T16:00:00.125000+01:00",
    "lastUpdatedAt": "2026-11-24T15:00:01.250000+00:00",
    "isConcurrent": False,
}
SUMMARY = {
    "status": "QUEUED",
    "queuedAt": "2026-11-24T15:00:00+00:00",
    "lastUpdatedAt": "2026-11-24T15:00:00+00:00",
    "executionNumber": 1,
}
FOR_JOB = {
    "executionSummaries": [
        {"thingArn": f"arn:aws:iot:us-east-1:123456789012:thing/pump-{number}", "jobExecutionSummary": SUMMARY}
        for number in range(250)
    ]
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service for tests that do not mind each other's jobs."""
    directory = tmp_path_factory.mktemp("import")
    with mosquitto(directory) as broker, running(Service(directory, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as one:
        yield one


def written(path: Path, *documents: object) -> Path:
    """Write documents as the AWS CLI prints them, one after another."""
    path.write_text("\n".join(json.dumps(document, indent=4) for document in documents))
    return path


def test_files_are_imported(service: Service, tmp_path: Path) -> None:
    """Every row of every document; a second time changes nothing."""
    jobs = {"jobs": [JOB | {"jobId": f"files-{number}", "jobArn": None} for number in range(205)]}
    described = {"job": JOB | {"jobId": "files-1", "jobArn": None, "namespaceId": "files", "description": "Firmware 7"}}
    files = [written(tmp_path / "jobs.json", jobs, described), written(tmp_path / "empty.json")]
    for _ in range(2):
        ended = jobindex("import", *files, "--namespace-id", "files", "--endpoint", service.url)
        assert (0, "206 applied, 0 refused\n", "") == (ended.returncode, ended.stdout, ended.stderr)
        assert 205 == len(service.jobs(namespaceId="files"))
    job = service.client().describe_job(jobId="files-1")["job"]
    assert ("Firmware 7", "files", "SNAPSHOT") == (job["description"], job["namespaceId"], job["targetSelection"])
    assert (1795532400.125, 1795532401.25) == (job["createdAt"].timestamp(), job["lastUpdatedAt"].timestamp())


def test_standard_input_is_imported(service: Service, tmp_path: Path) -> None:
    """The service is that of the settings, and the executions are those of the job."""
    file = written(tmp_path / "executions.json", FOR_JOB, {"executionSummaries": []})
    port = service.url.rpartition(":")[2]
    ended = piped(
        file, "import", "-", "--job-id", "input-1", "--as-of", "2026-11-24T15:30:00.5Z", "--json", HTTP_PORT=port
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    assert {"applied": 250, "refused": []} == json.loads(ended.stdout)
    status, answer, _ = service.get("/index/jobs/input-1/executions?limit=1")
    [execution] = json.loads(answer)["executions"]
    assert (200, 1795534200, "QUEUED") == (status, execution["seenPendingAt"], execution["state"])


def test_executions_of_a_thing_are_imported(service: Service, tmp_path: Path) -> None:
    """The namespace of the listing is that of their jobs."""
    file = written(tmp_path / "t", {"executionSummaries": [{"jobId": "thing-1", "jobExecutionSummary": SUMMARY}]})
    ended = jobindex("import", file, "--thing-name", "pump:1", "--namespace-id", "things", "--endpoint", service.url)
    assert (0, "1 applied, 0 refused\n", "") == (ended.returncode, ended.stdout, ended.stderr)
    [execution] = service.client().list_job_executions_for_thing(thingName="pump:1")["executionSummaries"]
    assert ("thing-1", "QUEUED") == (execution["jobId"], execution["jobExecutionSummary"]["status"])
    assert {"thing-1"} == set(service.jobs(namespaceId="things"))


def test_refused_rows_are_listed(service: Service, tmp_path: Path) -> None:
    """By file, number and reason, in their order; the others are imported, and the exit status is 1."""
    bad = [JOB | {"jobId": "refused\x1b[31m"}, JOB | {"jobId": "refused-2", "jobArn": None, "status": "RUNNING"}]
    first = written(tmp_path / "first", {"deployments": [{"deploymentId": "d-1"}]}, {"jobs": [JOB, *bad]}, [])
    second = written(tmp_path / "second", {"job": JOB | {"namespaceId": "other"}})
    arguments = ("import", first, second, "--namespace-id", "refused", "--endpoint", service.url)
    ended = jobindex(*arguments)
    no_job = (
        "a deployment of a list does not name its job: import the output of `aws greengrassv2 get-deployment "
        "--deployment-id d-1`"
    )
    status = "SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED, DELETION_IN_PROGRESS, CANCELLATION_IN_PROGRESS"
    expected = [
        "1 applied, 5 refused",
        f"{first}, row 1: {no_job}",
        f"{first}, row 3: jobId: 'refused\\x1b[31m' is not a match of [a-zA-Z0-9_-]{{1,64}}",
        f"{first}, row 4: status: 'RUNNING' is not one of {status}",
        f"{first}, row 5: this is not the output of a command that can be imported: []",
        f"{second}, row 1: namespaceId: 'other' is not 'refused', the namespace of the listing",
    ]
    assert (1, expected, "") == (ended.returncode, ended.stdout.splitlines(), ended.stderr)
    assert {"update-7"} == set(service.jobs(namespaceId="refused"))
    told = json.loads(jobindex(*arguments, "--json").stdout)
    assert {"file": str(second), "number": 1, "reason": expected[5].partition("row 1: ")[2]} == told["refused"][4]
    assert (1, 5) == (told["applied"], len(told["refused"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("jobs.json", "--namespace-id", "a b"), "'a b' is not a namespace"),
        (("jobs.json", "--job-id", "a b"), "'a b' is not a job id"),
        (("jobs.json", "--thing-name", "a/b"), "'a/b' is not a thing name"),
        (("jobs.json", "--as-of", "2026-11-24T15:30:00"), "is not a time with an offset, such as 2026-11-29T12:00:00Z"),
        (("jobs.json", "--as-of", "noon"), "'noon' is not a time with an offset"),
        (("jobs.json", "missing.json"), "missing.json: No such file or directory"),
        (("latin-1.json",), "latin-1.json: this is not text in UTF-8"),
        (("for-job.json",), "for-job.json has the output of ListJobExecutionsForJob, which needs it"),
        (("for-thing.json",), "for-thing.json has the output of ListJobExecutionsForThing, which needs it"),
        ((), "Missing argument"),
    ],
)
def test_wrong_usage_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    """The exit status is 2, before the service is asked."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "jobs.json", {"jobs": [JOB]})
    written(tmp_path / "for-job.json", FOR_JOB)
    written(tmp_path / "for-thing.json", {"executionSummaries": [{"jobId": "a"}]})
    (tmp_path / "latin-1.json").write_bytes(b'{"jobs": [{"description": "f\xfcr"}]}')
    ended = jobindex("import", *arguments, "--endpoint", "http://127.0.0.1:1")
    told = " ".join(word for word in ended.stderr.split() if word != "│")
    assert (2, "", True) == (ended.returncode, ended.stdout, message in told), told


def test_a_service_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    """With the exit status of every command."""
    file = written(tmp_path / "jobs.json", {"jobs": [JOB]})
    ended = jobindex("import", file, "--endpoint", f"http://127.0.0.1:{free_port()}")
    assert (3, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("jobindex import: http://127.0.0.1:")
