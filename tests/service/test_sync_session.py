"""A lost session: the check that follows finds everything that the service has missed, repairs it, and shows it."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.brokers import Broker, mosquitto, publish
from support.fake_aws import FakeAws
from support.html_browser import read
from support.missed_events import FILLED_AGO, NAMESPACE, UNSEEN, Drift, MissedFleet, facts
from support.services import Service, running
from support.synced_services import ended_run, request_run, stored_differences, sync_runs, synced_service
from support.waiting import wait_until

from jobindex.model.sync import DifferenceKind
from jobindex.web.ui.words import difference_name


def lost_by_the_broker(_service: Service, broker: Broker, miss: Callable[[], None]) -> None:
    """Kill the broker, which has stored nothing, while the service runs."""
    broker.kill()
    miss()
    broker.start()


def lost_while_stopped(service: Service, broker: Broker, miss: Callable[[], None]) -> None:
    """Kill the broker while the service is stopped."""
    service.stop()
    broker.kill()
    miss()
    broker.start()
    service.start()


@pytest.mark.parametrize("lose", [lost_by_the_broker, pytest.param(lost_while_stopped, marks=pytest.mark.slow)])
@pytest.mark.parametrize("repairs", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["repair", "report"])
def test_a_check_finds_all_that_a_lost_session_missed(
    tmp_path: Path, lose: Callable[[Service, Broker, Callable[[], None]], None], *, repairs: bool
) -> None:
    """Five hundred events; with `report` the index stays as it was, but for the differences that it lists."""
    now = round(time.time()) * 1000
    fleet = MissedFleet(now)
    drifts: list[Drift] = []
    ago = FILLED_AGO

    def miss() -> None:
        nonlocal ago
        with aws.lock:
            drifts.extend(fleet.go_on())
            ago = 0

    with FakeAws(fleet.fleet, clock=lambda: time.time() - ago) as aws, mosquitto(tmp_path) as broker:
        service = synced_service(
            tmp_path,
            aws.url,
            MQTT_URL=f"mqtt://127.0.0.1:{broker.port}",
            AWS_SYNC="check",
            AWS_SYNC_NAMESPACES=NAMESPACE,
            AWS_SYNC_DIFFERENCES="repair" if repairs else "report",
        )
        with running(service):
            assert ended_run(service, "fill")["isComplete"]
            ended_run(service, "details")
            assert {"fill", "details"} == {run["kind"] for run in sync_runs(service)}
            filled = facts(service.client())
            assert facts(aws.client()) == filled
            lose(service, broker, miss)
            assert len(drifts) >= 500
            run = ended_run(service, "pending")
            if not repairs:  # the index does not have the new jobs, whose executions the check would list
                drifts = [drift for drift in drifts if drift.kind != "execution_missing"]
            assert (True, len(drifts)) == (run["isComplete"], run["differences"])
            at_aws = facts(aws.client())
            unseen = {UNSEEN: at_aws.pop(UNSEEN)}
            assert (at_aws if repairs else filled) == facts(service.client())

            stored = stored_differences(service)
            assert Counter(drifts) == Counter(
                Drift(one["kind"], one["jobId"], one.get("thingName"), one.get("was"), one.get("now")) for one in stored
            )
            assert {(run["id"], repairs)} == {(one["runId"], one["isRepaired"]) for one in stored}
            kinds = Counter(drift.kind for drift in drifts)
            counted = {kind: service.metric(f'differences_total{{kind="{kind}"}}') for kind in DifferenceKind}
            assert {kind: kinds[kind] for kind in DifferenceKind} == counted
            assert Counter(shown(drift, is_repaired=repairs) for drift in drifts) == Counter(shown_on_pages(service))
            assert "reconciled" in service.readyz()
            completed = [("COMPLETED", "sync")] if repairs else []
            assert [*completed, ("IN_PROGRESS", "sync")] == history(service, "complete-0")
            publish(broker.port, [("$aws/events/job/new-0/completed", json.dumps({"timestamp": now // 1000}))])
            wait_until(lambda: service.jobs().get("new-0", {}).get("status") == "COMPLETED", "the message")
            assert [("COMPLETED", "message"), ("IN_PROGRESS", "sync")][: 1 + repairs] == history(service, "new-0")

            ended_run(service, "details", after=request_run(service, "details")["id"] - 1)
            assert unseen.items() <= facts(service.client()).items()


def history(service: Service, job_id: str) -> list[tuple[str, str]]:
    """Return the statuses that a job has had, newest first, each with its origin."""
    changes = json.loads(service.get(f"/index/jobs/{job_id}/changes")[1])["changes"]
    return [(change["status"], change["origin"]) for change in changes]


def shown(drift: Drift, *, is_repaired: bool) -> tuple[str, ...]:
    """Return the cells of a difference on the page."""
    cells = [drift.job_id, drift.thing_name or "", difference_name(DifferenceKind(drift.kind))]
    cells += ["nothing" if said is None else said.capitalize().replace("_", " ") for said in (drift.was, drift.now)]
    return (*cells, "Repaired" if is_repaired else "Only reported")


def shown_on_pages(service: Service) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each difference on the pages, but for the time."""
    page = read(f"{service.url}/ui/reconciliation")
    while True:
        yield from (tuple(row[:6]) for row in page.rows if len(row) > 5 and row[5] in {"Repaired", "Only reported"})
        if "Next →" not in page.links:
            return
        page = page.follow("Next →")
