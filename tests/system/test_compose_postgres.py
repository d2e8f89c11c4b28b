"""The profile `postgres` of compose.yaml on a Docker engine: two replicas on one database.

One test covers the running stack, in steps, as in test_compose.py.
"""

import subprocess
import time
from collections.abc import Iterator

import pytest
from support.compose_stack import (
    LEASE_SECONDS,
    REPLICAS,
    Stack,
    assert_limits,
    assert_no_rights,
    read_compose,
    running_stack,
)
from support.waiting import wait_until

WITHIN_SECONDS = LEASE_SECONDS + 6
"""The time for the lease to expire, for a replica to check it, and to connect to the broker."""


def test_the_profile_adds_services_without_rights() -> None:
    """PostgreSQL and the replicas start only with the profile, and the database is not published to the host."""
    services = read_compose("postgres")["services"]
    published = {"postgres-credentials": [], "postgres": [], "jobindex-a": ["127.0.0.1"], "jobindex-b": ["127.0.0.1"]}
    added = {name: service for name, service in services.items() if service.get("profiles") == ["postgres"]}
    assert published == {name: [port["host_ip"] for port in it.get("ports", [])] for name, it in added.items()}
    assert {"credentials", "mosquitto", "jobindex"} == services.keys() - added.keys()
    for service in added.values():
        assert_limits(service)


def test_replicas_share_a_client_id_that_the_service_on_sqlite_has_not() -> None:
    """The replicas share a client id; two indexes with one client id would each get only some of the messages."""
    services = read_compose("postgres")["services"]
    told = {name: services[name]["environment"] for name in ("jobindex", *REPLICAS)}
    names = ("JOBINDEX_MQTT_CLIENT_ID", "JOBINDEX_DATABASE_URL")
    assert told["jobindex-a"] == told["jobindex-b"]
    assert {"jobindex-replicas", "postgresql://jobindex@postgres/jobindex"} == {told["jobindex-a"][it] for it in names}
    assert not set(names) & told["jobindex"].keys()


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Run the services of the profile and those without one."""
    with running_stack("postgres") as stack:
        yield stack


@pytest.mark.compose
@pytest.mark.timeout(600)  # the first build downloads its base images
def test_compose_postgres(stack: Stack) -> None:
    """`docker compose --profile postgres up --build --wait` starts a stack that passes each step."""
    for service in ("postgres", *REPLICAS):
        assert stack.inspect(service, "{{.State.Health.Status}}") == "healthy"
        user = "postgres" if service == "postgres" else "jobindex"
        assert_no_rights(stack, service, int(stack.compose("exec", "-T", service, "id", "-u", user)))
    one_replica_ingests_and_all_answer(stack)
    the_database_lets_in_only_who_has_the_password(stack)
    the_replicas_have_no_rights_in_the_server(stack)
    another_goes_on_for_one_that_is_killed(stack)
    what_was_told_outlives_a_restart(stack)
    the_password_can_be_changed_after_a_kill(stack)


def ingesting(stack: Stack) -> dict[str, str]:
    """Return the ingestion status of each replica that answers."""
    told = {}
    for name in REPLICAS:
        try:
            told[name] = stack.services[name].readyz()["ingestion"]
        except OSError:
            continue
    return told


def wait_for_one(stack: Stack) -> str:
    """Wait until both replicas answer and one ingests; return its name."""
    wait_until(lambda: sorted(ingesting(stack).values()) == ["connected", "standby"], "one that ingests", 30)
    return next(name for name, told in ingesting(stack).items() if told == "connected")


def wait_until_told(stack: Stack, job_id: str, *services: str) -> None:
    """Wait until services list a job."""
    wait_until(lambda: all(job_id in stack.services[name].jobs() for name in services), f"{job_id} to be listed", 60)


def one_replica_ingests_and_all_answer(stack: Stack) -> None:
    """One replica is connected, the standby names it, and both list a new job, as does the service on SQLite."""
    ingests = wait_for_one(stack)
    (standby,) = set(REPLICAS) - {ingests}
    assert stack.services[standby].readyz()["ingestionBy"]["replica"].startswith(f"{ingests}-")
    stack.publish("told", '{"status":"SCHEDULED","createdAt":1700000000.5}')
    wait_until_told(stack, "told", "jobindex", *REPLICAS)
    assert stack.services["jobindex"].jobs() == stack.services["jobindex-a"].jobs()
    assert stack.services["jobindex"].readyz()["ingestion"] == "connected"


def the_database_lets_in_only_who_has_the_password(stack: Stack) -> None:
    """From another container, only the replicas' user can connect, and only with its password."""
    url = "postgresql://{}@postgres/{}?connect_timeout=5"
    wanted = {("jobindex", "jobindex", ""): "password", ("jobindex", "jobindex", "guessed"): "password"}
    wanted |= {("postgres", "postgres", ""): "pg_hba.conf", ("jobindex", "postgres", ""): "pg_hba.conf"}
    for (user, database, password), said in wanted.items():
        code = f"import psycopg; psycopg.connect({url.format(user, database)!r}, password={password!r})"
        ended = stack.attempt("exec", "-T", "jobindex-a", "python", "-c", code)
        assert (ended.returncode, said in ended.stderr.splitlines()[-1]) == (1, True), ended.stderr


def the_replicas_have_no_rights_in_the_server(stack: Stack) -> None:
    """The replicas' user is not a superuser, and the service on SQLite has no access to the password."""
    asked = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolsuper"
    assert stack.compose("exec", "-T", "postgres", "psql", "-Atc", asked).split() == ["postgres"]
    assert stack.compose("exec", "-T", "jobindex-a", "ls", "/postgres-credentials").split() == ["password"]
    assert stack.attempt("exec", "-T", "jobindex", "ls", "/postgres-credentials").returncode != 0


def another_goes_on_for_one_that_is_killed(stack: Stack) -> None:
    """The standby takes over once the killed replica's lease expires, and receives its unacknowledged messages."""
    killed = wait_for_one(stack)
    (other,) = set(REPLICAS) - {killed}
    stack.compose("kill", killed)
    began = time.monotonic()
    stack.publish("waiting")
    wait_until(lambda: ingesting(stack) == {other: "connected"}, f"{other} to go on", 60)
    assert time.monotonic() - began < WITHIN_SECONDS
    wait_until_told(stack, "waiting", other)
    stack.compose("start", killed)
    assert wait_for_one(stack) == other
    wait_until_told(stack, "waiting", killed)


def what_was_told_outlives_a_restart(stack: Stack) -> None:
    """Jobs and the password survive `docker compose down`; a message published while no replica runs arrives later."""
    show = ["exec", "-T", "jobindex-a", "cat", "/postgres-credentials/password"]
    password = stack.compose(*show)
    stack.compose("stop", *REPLICAS)
    stack.publish("meanwhile")
    stack.compose("down")
    stack.compose("up", "--wait")
    assert stack.compose(*show) == password
    for job_id in ("told", "waiting", "meanwhile"):
        wait_until_told(stack, job_id, *REPLICAS)


def the_password_can_be_changed_after_a_kill(stack: Stack) -> None:
    """After its volume is deleted, the next start makes a new password, even if PostgreSQL was killed before."""
    show = ["exec", "-T", "jobindex-a", "cat", "/postgres-credentials/password"]
    password = stack.compose(*show)
    stack.compose("kill", "postgres")
    stack.compose("down")
    volume = f"{stack.project}_postgres-credentials"
    subprocess.run(["docker", "volume", "rm", volume], check=True, capture_output=True)
    stack.compose("up", "--wait")
    assert stack.compose(*show) != password
    wait_until_told(stack, "meanwhile", *REPLICAS)
