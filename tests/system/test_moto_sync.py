"""A fill from moto, which ignores every filter of ListJobs, repeats its first page for ever, and has odd statuses."""

from pathlib import Path

from botocore.exceptions import ClientError
from support.brokers import mosquitto
from support.ministack import client
from support.moto import moto
from support.services import running
from support.synced_services import ended_run, synced_service
from support.waiting import require

JOBS = 251
"""One more than a page of the sync."""
CANCELED = ("job-000", "job-001")


def test_a_fill_from_moto_ends_incomplete_and_says_why(tmp_path: Path) -> None:
    """Every problem is named, no listing goes on for ever, and the rows that can be understood are in the index."""
    with moto() as url, mosquitto(tmp_path) as broker:
        iot = client(url, "iot")
        arn = iot.create_thing(thingName="pump-1")["thingArn"]
        for number in range(JOBS):
            iot.create_job(jobId=f"job-{number:03}", targets=[arn], document="{}")
        for job_id in CANCELED:
            iot.cancel_job(jobId=job_id)
        try:
            page = iot.list_jobs(maxResults=250)
            token = page["nextToken"]
            following = iot.list_jobs(maxResults=250, nextToken=token)
        except ClientError:  # moto 5.2.1 has an error of its own if there is more than one page
            require("a moto_server that lists two pages of jobs, such as 5.2.5", found=False)
        assert (page["jobs"], token) == (following["jobs"], following["nextToken"])

        with running(synced_service(tmp_path, url, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}")) as service:
            fill = ended_run(service, "fill", seconds=60)
            assert not fill["isComplete"]
            statuses = ("IN_PROGRESS", "CANCELED", "COMPLETED", "SCHEDULED", "DELETION_IN_PROGRESS")
            beginnings = {
                "DescribeEventConfigurations: ",  # moto fails
                "ListDeployments: 404: ",  # moto has no Greengrass
                "ListJobs ignores namespaceId: the list of 'aws-gg-deployment' has job 'job-000' ",
                "ListJobs: the row of job 'job-002' was left out: ",  # its status is QUEUED
                *(
                    f"ListJobs: AWS repeats a nextToken, and the listing ended early (status {status}"
                    for status in statuses
                ),
            }
            problems = fill["problems"]
            assert len(beginnings) == len(problems)
            assert beginnings == {one for one in beginnings for problem in problems if problem.startswith(one)}
            assert problems == service.readyz()["sync"]["problems"]
            assert "filled" not in service.readyz()
            assert dict.fromkeys(CANCELED, "CANCELED") == {name: job["status"] for name, job in service.jobs().items()}
