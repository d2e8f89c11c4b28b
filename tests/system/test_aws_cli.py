"""The AWS CLI reads back every fact if only its endpoint is set."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from support.api_server import REGION, serving
from support.aws_clients import Asking, run_cli
from support.reported_facts import SCENARIOS, Scenario

from jobindex.access.keys import AccessKey


def as_json(answer: object) -> Any:
    """Return an answer as the CLI prints it: times are seconds since the epoch."""
    return json.loads(json.dumps(answer, default=datetime.timestamp))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_aws_cli_reads_back_every_fact(tmp_path: Path, scenario: Scenario) -> None:
    """The CLI's answers equal boto3's, compared whole, so that a missing or additional member fails."""
    with serving(tmp_path) as api:
        api.apply(*scenario.messages)
        asking = Asking(url=api.url, key=AccessKey(id="test", secret="test"), region=REGION)
        for operation, given, expected in scenario.answers:
            command = xform_name(operation, "-")
            done = run_cli(asking, scenario.service, command, "--cli-input-json", json.dumps(given))
            assert done.returncode == 0, done.stderr
            assert as_json(expected) == json.loads(done.stdout or "{}"), (operation, given)
