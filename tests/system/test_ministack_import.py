"""`jobindex import` compared with MiniStack: an index without a single message gives the same answers.

boto3 lists and describes all jobs and executions of MiniStack, which are written as the AWS CLI prints them, and
imported. DEVIATIONS lists the members that may differ, each with its reason; an entry that excuses nothing fails the
test, too.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.aws_answers import answers
from support.brokers import mosquitto
from support.commands import jobindex
from support.ministack import client, ministack
from support.ministack_deviations import DEVIATIONS, compare
from support.ministack_fleet import THINGS, Fleet, reach_every_status
from support.services import Service, running


def test_an_imported_index_answers_what_ministack_answers(tmp_path: Path) -> None:
    """Each member of each job and execution, but for DEVIATIONS; a second import changes nothing."""
    folders = [tmp_path / name for name in ("ministack", "broker", "service", "printed")]
    for folder in folders:
        folder.mkdir()
    with (
        ministack(folders[0]) as emulator,
        mosquitto(folders[1]) as broker,
        running(Service(folders[2], MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service,
    ):
        fleet = Fleet(emulator)
        reach_every_status(fleet)
        job_ids = list(dict.fromkeys(fleet.job_ids))
        expected = answers(fleet.iot, fleet.data, job_ids, THINGS)
        as_of = datetime.now(UTC).isoformat()
        imports = list(printed(fleet.iot, folders[3]))
        answered = []
        for _ in range(2):
            for arguments in imports:
                ended = jobindex("import", *arguments, "--as-of", as_of, "--endpoint", service.url)
                assert (0, "") == (ended.returncode, ended.stderr), ended.stdout
            iot, data = client(service.url, "iot"), client(service.url, "iot-jobs-data")
            answered.append(answers(iot, data, job_ids, THINGS))
    assert answered[0] == answered[1]
    compare(expected, answered[0], DEVIATIONS)


def printed(iot: Any, folder: Path) -> Iterator[tuple[object, ...]]:
    """Write the answers of MiniStack as the AWS CLI prints them; yield the arguments of each import."""
    jobs = iot.list_jobs()["jobs"]
    yield (_written(folder / "jobs.json", {"jobs": jobs}),)
    described = [iot.describe_job(jobId=job["jobId"]) for job in jobs]
    yield (_written(folder / "described.json", *described),)
    executions = []
    for job in jobs:
        job_id = job["jobId"]
        pages = list(iot.get_paginator("list_job_executions_for_job").paginate(jobId=job_id))
        yield _written(folder / f"of-{job_id}.json", *pages), "--job-id", job_id
        for summary in (one for page in pages for one in page["executionSummaries"]):
            named = {"jobId": job_id, "thingName": summary["thingArn"].rpartition("/")[2]}
            number = summary["jobExecutionSummary"]["executionNumber"]
            executions.append(iot.describe_job_execution(**named, executionNumber=number))
    yield (_written(folder / "executions.json", *executions),)
    for thing_name in THINGS:
        page = iot.list_job_executions_for_thing(thingName=thing_name)
        yield _written(folder / f"of-{thing_name}.json", page), "--thing-name", thing_name


def _written(path: Path, *pages: dict[str, Any]) -> Path:
    documents = [{name: value for name, value in page.items() if name != "ResponseMetadata"} for page in pages]
    path.write_text("\n".join(json.dumps(document, indent=4, default=datetime.isoformat) for document in documents))
    return path
