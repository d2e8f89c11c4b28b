"""boto3's answers about jobs and things from one endpoint, as rows to compare with those of another endpoint.

A row has a key, such as `("DescribeJobExecution", "update-7", "pump-1", 2)`, and members. Times are whole seconds since
the epoch, an absent member equals an empty object, and the order of rows in a list is not compared.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

Key = tuple[str | int, ...]
Row = Mapping[str, object]

JOBS = ("ListJobs", "DescribeJob")
LISTS = ("ListJobExecutionsForJob", "ListJobExecutionsForThing")
SELECTIONS = ("SNAPSHOT", "CONTINUOUS")
STATUSES = ("SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS")
EXECUTION_STATUSES = ("QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "REMOVED", "CANCELED")
_MISSING: Row = {"error": "the row is missing"}
_ALMOST = {"createdAt", "lastUpdatedAt", "completedAt"}
"""AWS takes these times separately for its answer and for the message: one second apart counts as equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A member, or a whole row (`exists`), whose answers differ between two endpoints; None is absent."""

    key: Key
    member: str
    expected: Any
    answer: Any

    @property
    def operation(self) -> str:
        """The operation without its filter."""
        return str(self.key[0]).partition("?")[0]

    def __str__(self) -> str:
        return f"{self.key} {self.member}: {self.answer!r}, not {self.expected!r}"


def answers(iot: Any, data: Any, job_ids: Iterable[str], thing_names: Iterable[str]) -> dict[Key, Row]:
    """Return the rows of every operation that reads jobs and executions, from clients of `iot` and `iot-jobs-data`."""
    rows: dict[Key, Row] = {}
    filters = [{}, *({"status": one} for one in STATUSES), *({"targetSelection": one} for one in SELECTIONS)]
    for given in filters:
        for page in iot.get_paginator("list_jobs").paginate(**given):
            rows |= {(_name("ListJobs", given), job["jobId"]): _row(job) for job in page["jobs"]}
    for job_id in job_ids:
        rows |= _job_rows(iot, job_id)
    for thing_name in thing_names:
        rows |= _thing_rows(iot, data, thing_name)
    return rows


def differences(expected: Mapping[Key, Row], answered: Mapping[Key, Row]) -> Iterator[Difference | None]:
    """Compare rows member by member; yield None for each equal member."""
    for key in sorted({*expected, *answered}, key=str):
        wanted, row = expected.get(key, _MISSING), answered.get(key, _MISSING)
        if ("error" in wanted) != ("error" in row):
            yield Difference(key=key, member="exists", expected="error" not in wanted, answer="error" not in row)
            continue
        for member in sorted({*wanted, *row}):
            one, other = wanted.get(member), row.get(member)
            agrees = one == other
            if member in _ALMOST and isinstance(one, int) and isinstance(other, int):
                agrees = abs(one - other) <= 1
            yield None if agrees else Difference(key=key, member=member, expected=one, answer=other)


def _job_rows(iot: Any, job_id: str) -> dict[Key, Row]:
    try:
        job = iot.describe_job(jobId=job_id)["job"]
    except ClientError as error:
        return {("DescribeJob", job_id): {"error": error.response["Error"]["Code"]}}
    counts = job.pop("jobProcessDetails", {})
    rows: dict[Key, Row] = {("DescribeJob", job_id): _row(job) | counts}
    for given in ({}, *({"status": status} for status in EXECUTION_STATUSES)):
        name = _name("ListJobExecutionsForJob", given)
        for page in iot.get_paginator("list_job_executions_for_job").paginate(jobId=job_id, **given):
            for found in page["executionSummaries"]:
                summary = found["jobExecutionSummary"]
                thing_name, number = found["thingArn"].rpartition("/")[2], summary["executionNumber"]
                rows[name, job_id, thing_name, number] = _row({"thingArn": found["thingArn"], **summary})
                if not given:
                    asked = {"jobId": job_id, "thingName": thing_name}
                    one = iot.describe_job_execution(**asked, executionNumber=number)["execution"]
                    current = iot.describe_job_execution(**asked)["execution"]
                    rows["DescribeJobExecution", job_id, thing_name, number] = _row(one)
                    rows["DescribeJobExecution", job_id, thing_name, "current"] = _row(current)
    return rows


def _thing_rows(iot: Any, data: Any, thing_name: str) -> dict[Key, Row]:
    rows: dict[Key, Row] = {}
    for page in iot.get_paginator("list_job_executions_for_thing").paginate(thingName=thing_name):
        for found in page["executionSummaries"]:
            summary = found["jobExecutionSummary"]
            rows["ListJobExecutionsForThing", found["jobId"], thing_name, summary["executionNumber"]] = _row(summary)
    pending = data.get_pending_job_executions(thingName=thing_name)
    for status, member in (("IN_PROGRESS", "inProgressJobs"), ("QUEUED", "queuedJobs")):
        for entry in pending[member]:
            row = _row(entry) | {"status": status}
            rows["GetPendingJobExecutions", entry["jobId"], thing_name, entry["executionNumber"]] = row
    return rows


def _name(operation: str, given: Mapping[str, str]) -> str:
    return "?".join([operation, *(f"{name}={value}" for name, value in given.items())])


def _row(members: Mapping[str, Any]) -> dict[str, object]:
    """Return the members that are not empty, in a comparable form."""
    row: dict[str, Any] = {}
    for name, value in members.items():
        if isinstance(value, datetime):
            row[name] = int(value.timestamp())
        elif name == "statusDetails":
            row[name] = value.get("detailsMap")
        elif name == "targets":
            row[name] = sorted(value)
        else:
            row[name] = value
    return {name: value for name, value in row.items() if value is not None and value != {}}
