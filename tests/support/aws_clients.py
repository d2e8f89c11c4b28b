"""AWS's own clients, each with the same ListJobs requests: boto3, the AWS CLI, the SDK for JavaScript."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from jobindex.access.keys import AccessKey
from support import javascript
from support.waiting import require

Refused = tuple[str, int]
"""An error's name and HTTP status code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The endpoint, the key and the namespace of a client's requests."""

    url: str
    key: AccessKey | None
    """None for unsigned requests."""
    region: str
    namespace_id: str | None = None
    authority: Path | None = None
    """The CA certificate of an HTTPS server."""


def boto3_client(asking: Asking, attempts: int = 1) -> Any:
    """Return boto3's client."""
    key = asking.key or AccessKey(id="none", secret="none")
    return boto3.client(
        "iot",
        region_name=asking.region,
        endpoint_url=asking.url,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        verify=str(asking.authority) if asking.authority else None,
        config=Config(retries={"total_max_attempts": attempts}, signature_version=None if asking.key else UNSIGNED),
    )


def ask_boto3(asking: Asking, attempts: int = 1) -> list[str] | Refused:
    """Return the job ids from boto3, in pages of two."""
    client = boto3_client(asking, attempts)
    filters = {} if asking.namespace_id is None else {"namespaceId": asking.namespace_id}
    try:
        pages = list(client.get_paginator("list_jobs").paginate(**filters, PaginationConfig={"PageSize": 2}))
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return [job["jobId"] for page in pages for job in page["jobs"]]


def run_cli(asking: Asking, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the AWS CLI, such as `iot list-jobs`, with JSON output; skip the test without the CLI."""
    program = Path(sys.executable).with_name("aws")
    require("aws", found=program.exists())
    key = asking.key or AccessKey(id="none", secret="none")
    command = [
        *(str(program), *words, "--endpoint-url", asking.url, "--region", asking.region, "--output", "json"),
        *([] if asking.key else ["--no-sign-request"]),
        *([] if asking.authority is None else ["--ca-bundle", str(asking.authority)]),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret, "AWS_MAX_ATTEMPTS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def ask_cli(asking: Asking) -> list[str] | Refused:
    """Return the job ids from `aws iot list-jobs`; an error always gets status 403, because the CLI prints none."""
    namespace = [] if asking.namespace_id is None else ["--namespace-id", asking.namespace_id]
    done = run_cli(asking, "iot", "list-jobs", "--page-size", "2", *namespace)
    if done.returncode:
        assert "An error occurred (" in done.stderr, done.stderr
        return done.stderr.partition("An error occurred (")[2].partition(")")[0], 403
    return [job["jobId"] for job in json.loads(done.stdout)["jobs"]]


def ask_javascript(asking: Asking) -> list[str] | Refused:
    """Return the job ids from the client for JavaScript, in pages of two."""
    ids: list[str] = []
    token = None
    while True:
        given = {"maxResults": 2, "namespaceId": asking.namespace_id, "nextToken": token}
        (answer,) = javascript.ask(
            asking.url,
            ("ListJobs", {name: value for name, value in given.items() if value is not None}),
            access_key_id=asking.key.id if asking.key else "none",
            secret=asking.key.secret if asking.key else None,
            region=asking.region,
            authority=asking.authority,
        )
        if "error" in answer:
            return answer["error"]["name"], answer["error"]["status"]
        ids += [job["jobId"] for job in answer["jobs"]]
        token = answer.get("nextToken")
        if token is None:
            return ids


CLIENTS = {"boto3": ask_boto3, "aws": ask_cli, "javascript": ask_javascript}
