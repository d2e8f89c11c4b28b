"""The messages that AWS publishes about a simulated fleet.

Shapes and units are those of the developer guide's samples in `tests/documents/`. Lists and answers have seconds; a job
event has milliseconds except for its `timestamp`; an execution event has no queuedAt.
"""

import json
import random
import uuid
from collections.abc import Iterator, Mapping

from support.simulated_evidence import (
    AttemptShown,
    ExecutionDeletionShown,
    JobShown,
    ListShown,
    Message,
    Published,
    Shown,
)
from support.simulated_fleet import ACCOUNT, FleetHistory
from support.simulated_truth import FleetSwitches, TrueAttempt, TrueJob

LIST_MAXIMUM = 10
_ARN = f"arn:aws:iot:{ACCOUNT}"


class FleetPublisher:
    """Publishes the messages about each change."""

    def __init__(self, history: FleetHistory, switches: FleetSwitches) -> None:
        self.published: list[Published] = []
        self._history = history
        self._switches = switches
        self._rng = random.Random(history.rng.getrandbits(64))
        self._heads: dict[tuple[str, str | None], TrueAttempt] = {}

    def queue_changed(self, thing_name: str, namespace_id: str | None, *, at: int, started: bool = False) -> None:
        """Publish `notify`, and `notify-next` if another execution is next."""
        pending = self._pending(thing_name, namespace_id)
        head = pending[0] if pending else None
        had = self._heads.get((thing_name, namespace_id))
        if head is None:
            self._heads.pop((thing_name, namespace_id), None)
        else:
            self._heads[thing_name, namespace_id] = head
        if not self._switches.lists:
            return
        suffix = "" if namespace_id is None else f"-namespace-{namespace_id}"
        topic = f"$aws/things/{thing_name}/jobs/notify"
        if not started or self._switches.lists_on_start:
            stamp = at + (self._rng.randrange(2_001) if self._switches.stale_lists else 0)
            payload = {"timestamp": stamp // 1000, "jobs": _entries(pending[:LIST_MAXIMUM], "IN_PROGRESS", "QUEUED")}
            shown = self._list_shown(thing_name, namespace_id, stamp, pending)
            self._publish(f"{topic}{suffix}", payload, self._soon(stamp), *shown)
        if head is not had:
            payload = {"timestamp": at // 1000}
            if head is None:
                self._publish(f"{topic}-next{suffix}", payload, self._soon(at))
            else:
                payload["execution"] = _execution(head, document=True)
                self._publish(f"{topic}-next{suffix}", payload, self._soon(at), self._attempt_shown(head, at))

    def job_changed(self, job: TrueJob, operation: str, *, at: int) -> None:
        """Publish an event of a job."""
        published_at = self._event_time(at)
        stamp = self._stamp(at, published_at)
        status = "CANCELLATION_IN_PROGRESS" if operation == "cancellation_in_progress" else operation.upper()
        payload = self._event("JOB", operation, job.job_id, stamp)
        payload |= {"status": status, "targetSelection": job.target_selection}
        payload |= {"targets": [*job.targets], "description": job.description}
        full = operation == "canceled" and self._switches.canceled_event_is_full
        counts = None
        if operation == "completed":
            payload["completedAt"] = job.completed_at
        if operation == "completed" or full:
            counts = payload["jobProcessDetails"] = job.process_details()
        has_comment = full and job.comment is not None
        if has_comment:
            payload |= {"comment": job.comment, "reasonCode": job.reason_code}
        if operation == "deleted":
            payload["comment"] = "Comment of the deletion"
        moved = at if operation == "deleted" and self._switches.deletion_moves_last_updated else job.last_updated_at
        payload |= {"createdAt": job.created_at, "lastUpdatedAt": moved}
        shown = JobShown(job=job, operation=operation, at=stamp, has_comment=has_comment, process_details=counts)
        self._publish_event(f"$aws/events/job/{job.job_id}/{operation}", payload, at, published_at, shown)

    def execution_ended(self, attempt: TrueAttempt, operation: str, *, at: int) -> None:
        """Publish an event of an execution."""
        job_id, thing_name = attempt.execution.key
        published_at = self._event_time(at)
        stamp = self._stamp(at, published_at)
        payload = self._event("JOB_EXECUTION", operation, job_id, stamp)
        payload |= {"thingArn": f"{_ARN}:thing/{thing_name}", "status": operation.upper()}
        if self._switches.event_details and attempt.details:
            payload["statusDetails"] = {**attempt.details}
        if self._switches.numbered_events:
            payload["executionNumber"] = attempt.number
        shown: Shown
        if operation == "deleted":
            shown = ExecutionDeletionShown(execution=attempt.execution, at=stamp)
        else:
            shown = AttemptShown(
                attempt=attempt,
                status=attempt.status,
                at=stamp,
                captured_at=at,
                is_numbered=self._switches.numbered_events,
                shows_thing_arn=True,
                details={**attempt.details} if self._switches.event_details else None,
                details_changes=attempt.details_changes,
            )
        self._publish_event(f"$aws/events/jobExecution/{job_id}/{operation}", payload, at, published_at, shown)

    def group_changed(self, group_name: str, operation: str, *, at: int) -> None:
        """Publish an event of a thing group."""
        payload: dict[str, object] = {
            "eventType": "THING_GROUP_EVENT",
            "eventId": self._rng.randbytes(16).hex(),
            "timestamp": at,
            "operation": operation.upper(),
            "accountId": ACCOUNT.partition(":")[2],
            "thingGroupId": str(uuid.uuid5(uuid.NAMESPACE_OID, group_name)),
            "thingGroupName": group_name,
            "versionNumber": 1,
            "parentGroupName": None,
            "parentGroupId": None,
            "description": f"Description of {group_name}",
            "rootToParentThingGroups": [],
            "attributes": {},
            "dynamicGroupMappingId": None,
        }
        self._publish_event(f"$aws/events/thingGroup/{group_name}/{operation}", payload, at, self._event_time(at))

    def update_requested(self, attempt: TrueAttempt, *, at: int, accepted: bool) -> None:
        """Publish the answer to an update, with or without the execution's state."""
        payload: dict[str, object] = {"timestamp": at // 1000}
        if self._rng.random() < 0.7:
            payload["clientToken"] = f"client-{self._rng.randrange(1000)}"
        state: dict[str, object] = {"status": attempt.status, "versionNumber": attempt.version}
        if not accepted:
            payload |= {"code": "VersionMismatch", "message": "The version does not match", "executionState": state}
            self._answer(attempt, "update/rejected", payload, at)
            return
        if self._rng.random() < 0.4:
            self._answer(attempt, "update/accepted", payload, at)
            return
        if attempt.details:
            state["statusDetails"] = {**attempt.details}
        payload["executionState"] = state
        if self._rng.random() < 0.2:
            payload["jobDocument"] = attempt.execution.job.document
        shown = AttemptShown(
            attempt=attempt,
            status=attempt.status,
            at=at // 1000,
            captured_at=at,
            is_numbered=False,
            version=attempt.version,
            shows_namespace=True,
            details={**attempt.details},
            details_changes=attempt.details_changes,
        )
        self._answer(attempt, "update/accepted", payload, at, shown)

    def start_requested(self, attempt: TrueAttempt, *, at: int) -> None:
        """Publish the answer to `start-next`."""
        namespace_id = attempt.execution.job.namespace_id
        payload = {"timestamp": at // 1000, "execution": _execution(attempt, document=True, details=True)}
        level = "" if namespace_id is None else f"/namespace-{namespace_id}"
        topic = f"$aws/things/{attempt.execution.thing_name}/jobs/start-next{level}/accepted"
        self._publish_answer(topic, payload, at, self._attempt_shown(attempt, at, details=True))

    def execution_requested(self, attempt: TrueAttempt, *, at: int) -> None:
        """Publish the answer to a thing's request for one execution, pending or not."""
        payload = {
            "clientToken": "client-001",
            "timestamp": at // 1000,
            "execution": _execution(attempt, document=True, details=True),
        }
        is_next = self._pending(attempt.execution.thing_name, attempt.execution.job.namespace_id)[:1] == [attempt]
        asked_for = "$next" if is_next and self._rng.random() < 0.5 else None
        self._answer(
            attempt, "get/accepted", payload, at, self._attempt_shown(attempt, at, details=True), asked_for=asked_for
        )

    def pending_requested(self, thing_name: str, *, at: int) -> None:
        """Publish the answer to a thing's request for its pending executions without a namespace."""
        pending = self._pending(thing_name, None)
        payload = {"timestamp": at // 1000, **_entries(pending[:LIST_MAXIMUM], "inProgressJobs", "queuedJobs")}
        payload = {"inProgressJobs": [], "queuedJobs": [], **payload}
        shown = self._list_shown(thing_name, None, at, pending)
        self._publish_answer(f"$aws/things/{thing_name}/jobs/get/accepted", payload, at, *shown)

    def _pending(self, thing_name: str, namespace_id: str | None) -> list[TrueAttempt]:
        pending = self._history.pending(thing_name)
        return [attempt for attempt in pending if attempt.execution.job.namespace_id == namespace_id]

    def _list_shown(
        self, thing_name: str, namespace_id: str | None, stamp: int, pending: list[TrueAttempt]
    ) -> Iterator[Shown]:
        for attempt in pending[:LIST_MAXIMUM]:
            yield self._attempt_shown(attempt, stamp)
        if len(pending) < LIST_MAXIMUM:  # a list of ten may be cut
            yield ListShown(
                thing_name=thing_name,
                namespace_id=namespace_id,
                at=stamp // 1000,
                captured_at=self._history.now,
                attempts=frozenset(pending),
            )

    def _attempt_shown(self, attempt: TrueAttempt, stamp: int, *, details: bool = False) -> AttemptShown:
        return AttemptShown(
            attempt=attempt,
            status=attempt.status,
            at=stamp // 1000,
            captured_at=self._history.now,
            is_numbered=True,
            version=attempt.version,
            shows_queued_at=True,
            shows_start=attempt.started_at is not None,
            shows_namespace=True,
            details={**attempt.details} if details else None,
            details_changes=attempt.details_changes,
        )

    def _event(self, event_type: str, operation: str, job_id: str, stamp: int) -> dict[str, object]:
        event_id = str(uuid.UUID(bytes=self._rng.randbytes(16), version=4))
        return {
            "eventType": event_type,
            "eventId": event_id,
            "timestamp": stamp,
            "operation": operation,
            "jobId": job_id,
        }

    def _event_time(self, at: int) -> int:
        return at + self._rng.choice((0, self._rng.randrange(3_001)))

    def _stamp(self, at: int, published_at: int) -> int:
        return (published_at if self._switches.event_time_is_publication else at) // 1000

    def _soon(self, at: int) -> int:
        return at + self._rng.randrange(200)

    def _answer(
        self,
        attempt: TrueAttempt,
        verb: str,
        payload: Mapping[str, object],
        at: int,
        *shown: AttemptShown,
        asked_for: str | None = None,
    ) -> None:
        job_id, thing_name = attempt.execution.key
        namespace_id = attempt.execution.job.namespace_id
        level = "" if namespace_id is None else f"/namespace-{namespace_id}"
        self._publish_answer(f"$aws/things/{thing_name}/jobs/{asked_for or job_id}{level}/{verb}", payload, at, *shown)

    def _publish_answer(self, topic: str, payload: Mapping[str, object], at: int, *shown: Shown) -> None:
        if self._switches.answers:
            self._publish(topic, payload, self._soon(at), *shown)

    def _publish_event(
        self, topic: str, payload: Mapping[str, object], at: int, published_at: int, *shown: Shown
    ) -> None:
        if self._switches.events and at >= self._switches.events_from:
            self._publish(topic, payload, published_at, *shown)

    def _publish(self, topic: str, payload: Mapping[str, object], published_at: int, *shown: Shown) -> None:
        if published_at >= self._switches.reader_from:
            message = Message(topic=topic, payload=json.dumps(payload).encode(), published_at=published_at)
            self.published.append(Published(message=message, shown=shown))


def _entries(pending: list[TrueAttempt], started: str, queued: str) -> dict[str, list[dict[str, object]]]:
    """Return the entries of a list by member; a member without entries is omitted."""
    entries: dict[str, list[dict[str, object]]] = {}
    for attempt in pending:
        entry = _execution(attempt)
        del entry["status"]
        entries.setdefault(started if attempt.status == "IN_PROGRESS" else queued, []).append(entry)
    return entries


def _execution(attempt: TrueAttempt, *, document: bool = False, details: bool = False) -> dict[str, object]:
    execution: dict[str, object] = {
        "jobId": attempt.execution.job.job_id,
        "status": attempt.status,
        "queuedAt": attempt.queued_at // 1000,
        "lastUpdatedAt": attempt.last_updated_at // 1000,
        "versionNumber": attempt.version,
        "executionNumber": attempt.number,
    }
    if attempt.started_at is not None:
        execution["startedAt"] = attempt.started_at // 1000
    if document:
        execution["jobDocument"] = attempt.execution.job.document
    if details and attempt.details:
        execution["statusDetails"] = {**attempt.details}
    return execution
