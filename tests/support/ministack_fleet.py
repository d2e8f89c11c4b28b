"""A fleet at MiniStack, in which jobs and executions reach every status."""

import time
from typing import Any

from support.ministack import MiniStack, client
from support.waiting import wait_until

GROUPS = {"pumps": ["pump-1", "pump-2", "pump-3", "pump-4"], "fans": ["fan-1", "fan-2", "fan-3"], "cellar": []}
THINGS = ["pump-1", "pump-2", "pump-3", "pump-4", "fan-1", "fan-2", "fan-3", "lamp-1"]


class Fleet:
    """The actions of a user and of a fleet's devices at MiniStack."""

    def __init__(self, emulator: MiniStack) -> None:
        self.iot = client(emulator.url, "iot")
        self.data = client(emulator.url, "iot-jobs-data")
        self.job_ids: list[str] = []
        kinds = ("JOB", "JOB_EXECUTION", "THING_GROUP")
        self.iot.update_event_configurations(eventConfigurations={kind: {"Enabled": True} for kind in kinds})
        self.arns = {name: self.iot.create_thing(thingName=name)["thingArn"] for name in THINGS}
        for group, things in GROUPS.items():
            self.arns[group] = self.iot.create_thing_group(thingGroupName=group)["thingGroupArn"]
            for thing in things:
                self.join(group, thing)

    def create(self, job_id: str, *targets: str, **given: Any) -> None:
        """Create a job, SNAPSHOT by default, for things and groups."""
        arns = [self.arns[target] for target in targets]
        self.iot.create_job(jobId=job_id, targets=arns, document='{"operation":"test"}', **given)
        self.job_ids.append(job_id)

    def start_next(self, thing: str, **details: str) -> str:
        """Start the first pending execution of a thing; return its job id."""
        started = self.data.start_next_pending_job_execution(thingName=thing, statusDetails=details)
        return str(started["execution"]["jobId"])

    def report(self, job_id: str, thing: str, status: str, **details: str) -> None:
        """Report an execution's status as its device does."""
        given = {"statusDetails": details} if details else {}
        self.data.update_job_execution(jobId=job_id, thingName=thing, status=status, **given)

    def join(self, group: str, thing: str) -> None:
        """Put a thing into a group."""
        self.iot.add_thing_to_thing_group(thingGroupName=group, thingName=thing)

    def leave(self, group: str, thing: str) -> None:
        """Take a thing out of a group."""
        self.iot.remove_thing_from_thing_group(thingGroupName=group, thingName=thing)


def reach_every_status(fleet: Fleet) -> None:
    """Let jobs and executions reach every status: they end, are retried, canceled and deleted, and ids are reused."""
    _snapshot_jobs_end(fleet)
    _things_come_and_go(fleet)
    _jobs_are_canceled(fleet)
    _jobs_are_deleted(fleet)
    _devices_work_on(fleet)


def _snapshot_jobs_end(fleet: Fleet) -> None:
    """Run jobs with every outcome that a device can report; cancel one execution and delete one."""
    fleet.create("firmware", "pumps", description="Firmware 2.1 für alle Pumpen")
    for thing in ("pump-1", "pump-2", "pump-3"):
        assert "firmware" == fleet.start_next(thing, step="download")
    fleet.report("firmware", "pump-1", "IN_PROGRESS", step="install", progress="40 %")
    fleet.report("firmware", "pump-1", "SUCCEEDED", version="2.1")
    fleet.report("firmware", "pump-2", "SUCCEEDED")
    fleet.report("firmware", "pump-3", "FAILED", reason="checksum of part 3 is wrong")
    fleet.report("firmware", "pump-4", "REJECTED", reason="battery low")
    fleet.create("audit", "fan-1", "fan-2", "lamp-1", targetSelection="SNAPSHOT")
    fleet.report("audit", "lamp-1", "IN_PROGRESS", step="1")
    fleet.iot.delete_job_execution(jobId="audit", thingName="lamp-1", executionNumber=1, force=True)
    fleet.iot.cancel_job_execution(jobId="audit", thingName="fan-1", statusDetails={"by": "Ada"})
    fleet.report("audit", "fan-2", "SUCCEEDED")


def _things_come_and_go(fleet: Fleet) -> None:
    """Run CONTINUOUS jobs: they outlive the end of all executions, and a thing that rejoins gets a new attempt."""
    fleet.create("certificates", "fans", targetSelection="CONTINUOUS", description="Certificates of 2027")
    fleet.start_next("fan-1")
    fleet.report("certificates", "fan-1", "SUCCEEDED")
    fleet.report("certificates", "fan-3", "FAILED", reason="no space left")
    for thing in ("fan-2", "fan-3"):
        fleet.leave("fans", thing)
        fleet.join("fans", thing)
    fleet.report("certificates", "fan-2", "SUCCEEDED", serial="17")
    fleet.start_next("fan-3", step="second try")
    fleet.create("telemetry", "pumps", "lamp-1", targetSelection="CONTINUOUS")
    for thing in (*GROUPS["pumps"], "lamp-1"):
        fleet.report("telemetry", thing, "SUCCEEDED")
    fleet.create("idle", "cellar", targetSelection="CONTINUOUS", description="For things to come")


def _jobs_are_canceled(fleet: Fleet) -> None:
    """Cancel jobs by a user, with and without force, and by abort criteria."""
    fleet.create("rollback", "pumps", description="Back to 2.0")
    fleet.start_next("pump-1")
    fleet.start_next("pump-2")
    fleet.iot.cancel_job(jobId="rollback", reasonCode="NOT_NEEDED", comment="2.1 works „after all“")
    fleet.create("settings", "lamp-1", "fan-1", description="Night mode")
    fleet.start_next("lamp-1", progress="10 %")
    fleet.create("logs", "fans", "lamp-1", targetSelection="CONTINUOUS")
    fleet.report("logs", "fan-1", "IN_PROGRESS", progress="50 %")
    fleet.report("logs", "fan-2", "SUCCEEDED", lines="12")
    fleet.iot.cancel_job(jobId="logs", force=True, reasonCode="QUOTA", comment="The disk is full")
    criterion = {"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 20, "minNumberOfExecutedThings": 1}
    fleet.create("trial", "pumps", abortConfig={"criteriaList": [criterion]})
    fleet.report("trial", "pump-2", "SUCCEEDED")
    fleet.report("trial", "pump-3", "FAILED", reason="E17")


def _jobs_are_deleted(fleet: Fleet) -> None:
    """Delete a running job, and one whose id is reused seconds later."""
    fleet.create("obsolete", "pumps")
    fleet.report("obsolete", "pump-2", "SUCCEEDED")
    fleet.report("obsolete", "pump-3", "IN_PROGRESS")
    fleet.iot.delete_job(jobId="obsolete", force=True)
    fleet.create("reused", "fan-2", "lamp-1", description="Before")
    fleet.report("reused", "fan-2", "FAILED", reason="before")
    fleet.iot.delete_job(jobId="reused", force=True)
    deleted_at = int(time.time())
    wait_until(lambda: int(time.time()) > deleted_at + 2, "times that differ by more than a second")
    fleet.create("reused", "pump-4", "lamp-1", description="After")
    fleet.report("reused", "pump-4", "SUCCEEDED")
    fleet.report("reused", "lamp-1", "REJECTED", reason="after")


def _devices_work_on(fleet: Fleet) -> None:
    """End an execution that began before its job's cancellation, and start one that no later message shows."""
    fleet.report("rollback", "pump-2", "FAILED", reason="too late")
    assert "settings" == fleet.start_next("fan-1", progress="5 %")
