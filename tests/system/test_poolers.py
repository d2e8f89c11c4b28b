"""A service behind PgBouncer, whose pool mode changes while the service runs."""

from pathlib import Path

from support.brokers import mosquitto, publish
from support.poolers import pgbouncer
from support.services import Service, running
from support.waiting import wait_until

REASON = "a pooler in transaction mode is between jobindex and PostgreSQL; set pool_mode = session in PgBouncer"


def test_a_service_behind_a_pooler_in_transaction_mode_says_so(tmp_path: Path, postgres_url: str) -> None:
    """In transaction mode the service is not ready and reports the reason; in session mode it resumes."""

    def tell(job_id: str) -> None:
        publish(broker.port, [(f"$aws/things/t/jobs/{job_id}/notify-namespace-n", "{}")])

    with mosquitto(tmp_path) as broker, pgbouncer(postgres_url, pool_mode="session") as pooler:
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}", "DATABASE_URL": pooler.url, "DATABASE_LEASE": "2s"}
        with running(Service(tmp_path, **settings)) as service:
            tell("before")
            wait_until(lambda: service.jobs().keys() == {"before"}, "the first job")
            pooler.set_pool_mode("transaction")
            tell("meanwhile")
            wait_until(lambda: REASON in service.readyz().get("reason", ""), "the reason")
            for _ in range(10):
                assert not service.readyz()["ready"]
            wait_until(lambda: REASON in service.log(), "the log")
            pooler.set_pool_mode("session")
            wait_until(lambda: service.readyz()["ready"], "the service")
            wait_until(lambda: service.jobs().keys() == {"before", "meanwhile"}, "both jobs")
