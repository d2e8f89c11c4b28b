"""`jobindex keys`, and a service that uses the keys file."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from support.brokers import mosquitto, publish
from support.commands import jobindex
from support.services import Service, running
from support.waiting import wait_until

from jobindex.access.keys import digest
from jobindex.access.keys_file import read_keys

JOBS = [
    (f"$aws/things/thing/jobs/{namespace}-job/notify-namespace-{namespace}", '{"job": {"status": "IN_PROGRESS"}}')
    for namespace in ("acme", "other")
]


def add(file: Path, *arguments: str) -> dict[str, Any]:
    """Add a key and return the JSON that the command prints."""
    ended = jobindex("keys", "add", *arguments, "--json", HTTP_KEYS_FILE=file)
    assert 0 == ended.returncode, ended.stderr
    return dict(json.loads(ended.stdout))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a keys file that does not exist yet."""
    return tmp_path / "keys.json"


def test_a_key_is_added_listed_and_revoked(file: Path) -> None:
    """A secret is printed once, and only the hash of a token is stored."""
    key = add(file, "sdk", "--namespace-id", "acme", "--namespace-id", "b")
    token = add(file, "ops", "--token", "--role", "operate")
    listed = jobindex("keys", "list", HTTP_KEYS_FILE=file)
    assert (0, "") == (listed.returncode, listed.stderr)
    rows = [line.split("  ") for line in listed.stdout.splitlines()]
    assert [
        ["NAME", "ROLE", "NAMESPACES", "CREDENTIAL", "CREATED"],
        ["sdk", "read", "acme, b", key["aws_access_key_id"]],
        ["ops", "operate", "all", "token"],
    ] == [[cell.strip() for cell in row if cell][: 4 if number else 5] for number, row in enumerate(rows)]
    assert key["aws_secret_access_key"] not in listed.stdout
    assert token["token"] not in file.read_text()
    described = jobindex("keys", "list", "--json", "--file", file)
    assert {"name": "sdk", "role": "read", "namespaces": ["acme", "b"], "accessKeyId": key["aws_access_key_id"]} == {
        name: value for name, value in json.loads(described.stdout.splitlines()[0]).items() if name != "createdAt"
    }
    revoked = jobindex("keys", "revoke", "sdk", HTTP_KEYS_FILE=file)
    assert (0, "sdk revoked\n", "A running service reads the file again on SIGHUP.\n") == (
        revoked.returncode,
        revoked.stdout,
        revoked.stderr,
    )
    assert ["ops"] == [key.principal.name for key in read_keys(file).all]


def test_what_is_told_of_a_key_can_be_pasted(file: Path) -> None:
    """The output can be pasted into ~/.aws/credentials, or into a header."""
    ended = jobindex("keys", "add", "sdk", HTTP_KEYS_FILE=file)
    names = [line.partition(" = ")[0] for line in ended.stdout.splitlines()]
    assert ["aws_access_key_id", "aws_secret_access_key"] == names
    assert "The secret is not shown again. Protect the keys file: it contains the secret." in ended.stderr
    token = jobindex("keys", "add", "ops", "--token", HTTP_KEYS_FILE=file).stdout
    assert digest(token.strip()) == read_keys(file).all[1].token_sha256
    assert 0o600 == file.stat().st_mode & 0o777


@pytest.fixture(scope="module")
def one_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the content of a keys file with one key, `ops`."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    add(file, "ops", "--token")
    return file.read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("add", "ops"), 1, "the key ops already exists; revoke it first, or choose another name"),
        (("add", "a b"), 2, "'a b' is not 1 to 64 letters, digits or _.@-"),
        (("add", "a", "--role", "admin"), 2, "'admin' is not one of read, operate"),
        (("add", "a", "--namespace-id", "a b"), 2, "'a b' is not a namespace"),
        (("add", "a", "--role", "operate", "--namespace-id", "acme"), 2, "cannot be limited to namespaces"),
        (("revoke", "none"), 1, "The key none does not exist"),
        (("list", "--file", "/none/keys.json"), 1, "'/none/keys.json' cannot be read: No such file or directory"),
        (("revoke", "a", "--file", "/none/keys.json"), 1, "'/none/keys.json' cannot be read: No such file"),
        (("add", "a", "--file", "/none/keys.json"), 1, "'/none/keys.json' cannot be changed: No such file"),
    ],
)
def test_what_cannot_be_is_told(file: Path, one_key: str, arguments: tuple[str, ...], status: int, told: str) -> None:
    """An invalid change is refused, and the file stays unchanged."""
    file.write_text(one_key)
    before = file.read_bytes()
    ended = jobindex("keys", *arguments, HTTP_KEYS_FILE=file)
    assert status == ended.returncode
    assert told in " ".join(ended.stderr.replace("│", " ").split())
    assert before == file.read_bytes()


def test_a_file_must_be_named() -> None:
    """The setting or the option must name a keys file."""
    ended = jobindex("keys", "list")
    assert 2 == ended.returncode
    assert "JOBINDEX_HTTP_KEYS_FILE: is not set, and --file is not given" in ended.stderr


@pytest.fixture
def service(tmp_path: Path, file: Path) -> Iterator[Service]:
    """Run a service that requires keys and has a job in each namespace."""
    file.write_text('{"keys": []}')
    with mosquitto(tmp_path) as broker:
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}", "HTTP_KEYS_FILE": str(file)}
        with running(Service(tmp_path, **settings)) as service:
            publish(broker.port, JOBS)
            yield service


def read_again(service: Service, told: str) -> None:
    """Make a service reload its keys, and wait for a text in its log."""
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGHUP)
    wait_until(lambda: told in service.log(), told)


def jobs(service: Service, key: dict[str, Any]) -> list[str]:
    """Return the ids of the jobs that boto3 lists with an access key."""
    client = boto3.client(
        "iot",
        region_name="us-east-1",
        endpoint_url=service.url,
        aws_access_key_id=key["aws_access_key_id"],
        aws_secret_access_key=key["aws_secret_access_key"],
    )
    return sorted(job["jobId"] for job in client.list_jobs()["jobs"])


def test_a_running_service_goes_by_new_keys_on_sighup(service: Service, file: Path) -> None:
    """On SIGHUP new keys are accepted and revoked ones refused; a broken file changes nothing."""
    key, limited = add(file, "sdk"), add(file, "acme", "--namespace-id", "acme")
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        jobs(service, key)
    read_again(service, "Keys in force: 2")
    wait_until(lambda: ["acme-job", "other-job"] == jobs(service, key), "both jobs")
    assert ["acme-job"] == jobs(service, limited)
    kept = file.read_text()
    file.write_text("{")
    read_again(service, "The keys were not reloaded")
    assert ["acme-job"] == jobs(service, limited)
    file.write_text(kept)
    jobindex("keys", "revoke", "acme", HTTP_KEYS_FILE=file)
    read_again(service, "Keys in force: 1")
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        jobs(service, limited)
    assert ["acme-job", "other-job"] == jobs(service, key)
    service.stop()


def test_lines_end_with_the_keys_that_they_were_let_in_by(service: Service, file: Path) -> None:
    """A stream ends when the keys are reloaded, or when its session signs out."""
    token = add(file, "watcher", "--token")["token"]
    read_again(service, "Keys in force: 1")
    netloc = service.url.removeprefix("http://")

    @contextmanager
    def watch(**headers: str) -> Iterator[HTTPResponse]:
        with closing(HTTPConnection(netloc, timeout=30)) as connection:
            connection.request("GET", "/index/events", headers=headers)
            with connection.getresponse() as line:
                yield line

    with watch(authorization=f"Bearer {token}") as line:
        assert 200 == line.status
        read_again(service, "Keys in force: 1")
        assert b"event: end" in line.read()
    with closing(HTTPConnection(netloc, timeout=10)) as connection:
        connection.request("POST", "/ui/sign-in", body=f"token={token}")
        with connection.getresponse() as answer:
            cookie = answer.headers["set-cookie"].partition(";")[0]
            answer.read()
        with watch(cookie=cookie) as line:
            assert 200 == line.status
            connection.request("POST", "/ui/sign-out", headers={"cookie": cookie})
            connection.getresponse().close()
            assert b"event: end" in line.read()


def test_commands_ask_with_a_token(service: Service, file: Path) -> None:
    """Commands send the token, explain a missing one, and report a missing permission."""
    reading, operating = add(file, "reader", "--token"), add(file, "ops", "--token", "--role", "operate")
    read_again(service, "Keys in force: 2")
    ended = jobindex("list", "--endpoint", service.url)
    assert (1, "") == (ended.returncode, ended.stdout)
    assert "Missing Authentication Token (the service requires a key: set JOBINDEX_HTTP_TOKEN to" in ended.stderr
    port = service.url.rpartition(":")[2]
    wait_until(lambda: "other-job" in jobindex("list", HTTP_PORT=port, HTTP_TOKEN=reading["token"]).stdout, "the jobs")
    purged = jobindex("rejected", "purge", "--all", "--endpoint", service.url, HTTP_TOKEN=reading["token"])
    assert 1 == purged.returncode
    assert "reader is not authorized to perform: iot:PurgeRejectedMessages" in purged.stderr
    token_file = file.with_name("token")
    token_file.write_text(operating["token"] + "\n")
    purged = jobindex("rejected", "purge", "--all", "--endpoint", service.url, HTTP_TOKEN_FILE=token_file)
    assert (0, "0 purged, 0 not found\n") == (purged.returncode, purged.stdout)
    assert 0 == jobindex("healthcheck", HTTP_PORT=port).returncode
    limited = add(file, "limited", "--token", "--namespace-id", "acme")
    read_again(service, "Keys in force: 3")
    for secret, told in (
        (reading["token"], "messages: the last message arrived"),
        (limited["token"], "service: the key of JOBINDEX_HTTP_TOKEN is limited to namespaces"),
        ("unknown", "service: it does not know the client: The security token included in the request is invalid."),
    ):
        doctor = jobindex("doctor", "--endpoint", service.url, HTTP_TOKEN=secret)
        assert told in doctor.stdout
        assert ("problem service: it does" in doctor.stdout) == (secret == "unknown")
        assert ("messages:" in doctor.stdout) == (secret == reading["token"])
