"""A message that changes many rows: the service applies others, reports `settling`, and survives a kill."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from support.brokers import mosquitto, publish
from support.commands import jobindex
from support.services import Service, running
from support.waiting import wait_until

EXECUTIONS = 8000
SECOND = 1_700_000_000


def test_a_great_deletion_is_settled_though_the_service_is_killed(tmp_path: Path) -> None:
    """A deleted job is gone at once, and its deferred work continues after a kill."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            queued = json.dumps({"execution": {"status": "QUEUED", "queuedAt": SECOND}}).encode()
            publish(
                broker.port,
                [(f"$aws/things/t{number}/jobs/j/notify-namespace-n", queued) for number in range(EXECUTIONS)],
            )
            wait_until(lambda: service.metric("messages_applied_total") == EXECUTIONS, "the executions", 60)
            deleted = json.dumps({"lastUpdatedAt": SECOND + 10, "timestamp": SECOND + 10}).encode()
            publish(broker.port, [("$aws/events/job/j/deleted", deleted)])
            wait_until(lambda: _left(service.database), "the deferred work")
            service.kill()
        assert _left(service.database)
        assert "not checked" in jobindex("check", DATABASE_URL=f"sqlite:///{service.database}").stdout
        with running(service):
            publish(broker.port, [("$aws/things/t/jobs/other/notify-namespace-n", b"{}")])
            wait_until(lambda: {"other"} == set(service.jobs()), "the other job")
            wait_until(lambda: not _left(service.database), "the end of it", 60)
            wait_until(lambda: "settling" not in service.readyz(), "no more of it")
            assert 0 == service.metric("settling")
        checked = jobindex("check", DATABASE_URL=f"sqlite:///{service.database}")
        assert (0, True) == (checked.returncode, f"{EXECUTIONS} rows, consistent with the states" in checked.stdout)


def _left(database: Path) -> bool:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("SELECT 1 FROM deferred_work").fetchall())
