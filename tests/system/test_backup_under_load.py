"""`jobindex backup` of an index under constant writes."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from support.brokers import mosquitto, publish
from support.commands import jobindex
from support.services import Service, running
from support.waiting import wait_until


def test_a_backup_under_load_is_the_index_at_one_moment(tmp_path: Path) -> None:
    """A backup contains all jobs up to one that was applied during the backup, and none after it."""
    with mosquitto(tmp_path) as broker:
        service = Service(tmp_path, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")
        with running(service):
            done = threading.Event()

            def load() -> None:
                sent = 0
                while not done.is_set():
                    topics = (f"$aws/things/t/jobs/job-{n:06}/notify-namespace-n" for n in range(sent, sent + 200))
                    publish(broker.port, [(topic, '{"job": {"thingGroupName": "g"}}') for topic in topics])
                    sent += 200

            def applied() -> int:
                return int(service.metric("messages_applied_total"))

            publisher = threading.Thread(target=load)
            publisher.start()
            moments = []
            try:
                for number in range(4):
                    seen = applied()
                    wait_until(lambda seen=seen: applied() > seen + 300, "messages")  # type: ignore[misc]
                    copy = tmp_path / f"backup-{number}.db"
                    before = applied()
                    made = jobindex("backup", copy, DATABASE_URL=f"sqlite:///{service.database}")
                    # Counted messages are committed, but the last committed batch may not be counted yet.
                    after = applied() + 1000
                    assert (0, f"{copy}: {copy.stat().st_size} bytes\n", "") == (
                        made.returncode,
                        made.stdout,
                        made.stderr,
                    )
                    moments.append((before, copy, after))
            finally:
                done.set()
                publisher.join()
            assert service.stop() == 0
        for before, copy, after in moments:
            with closing(sqlite3.connect(copy)) as connection:
                rows = connection.execute("SELECT job_id FROM job_summaries ORDER BY job_id").fetchall()
            ids = [str(row[0]) for row in rows]
            assert before <= len(ids) <= after
            assert [f"job-{number:06}" for number in range(len(ids))] == ids
            assert jobindex("check", copy).returncode == 0
        assert len({copy.stat().st_size for _, copy, _ in moments}) > 1

        # The last backup, restored elsewhere, answers.
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        restored = Service(elsewhere, MQTT_URL="mqtt://127.0.0.1:1")
        put = jobindex("restore", copy, DATABASE_URL=f"sqlite:///{restored.database}")
        assert (0, f"{restored.database}: restored from {copy}\n") == (put.returncode, put.stdout)
        with running(restored, until="connecting"):
            assert set(ids) == set(restored.jobs())
            assert jobindex("check", DATABASE_URL=f"sqlite:///{restored.database}").returncode == 0
