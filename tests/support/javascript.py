"""AWS's own clients for JavaScript, run by Node.js: `npm install --prefix tests/sdk_js` brings them."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support.waiting import require

_FOLDER = Path(__file__).parents[1] / "sdk_js"
_CLIENTS = {
    "iot": ("@aws-sdk/client-iot", "IoTClient"),
    "iot-jobs-data": ("@aws-sdk/client-iot-jobs-data-plane", "IoTJobsDataPlaneClient"),
}
"""The package and the class of the client of each service."""

Call = tuple[str, dict[str, Any]]
"""An operation's name, such as `ListJobs`, and its input."""


def ask(
    url: str,
    *calls: Call,
    service: str = "iot",
    access_key_id: str = "test",
    secret: str | None = "test",
    region: str = "us-east-1",
    attempts: int = 1,
    clock_offset: int = 0,
    authority: Path | None = None,
) -> list[dict[str, Any]]:
    """Return the answer to each call, or `{"error": {"name": …, "status": …, "message": …}}`.

    Times are texts such as `2017-02-10T00:37:59.743Z`, as JSON has none. Without a secret nothing is signed.
    `clock_offset` is how many milliseconds the client adds to what its clock says; `authority` is whose certificates
    it trusts besides the usual ones. Skips the test where the client is not installed.
    """
    node = shutil.which("node")
    require("node", found=node is not None)
    package, client = _CLIENTS[service]
    require(package, found=(_FOLDER / "node_modules" / package).is_dir())
    question = {
        "package": package,
        "client": client,
        "calls": [{"operation": operation, "input": given} for operation, given in calls],
        "isSigned": secret is not None,
        "endpoint": url,
        "region": region,
        "credentials": {"accessKeyId": access_key_id, "secretAccessKey": secret or ""},
        "maxAttempts": attempts,
        "systemClockOffset": clock_offset,
    }
    done = subprocess.run(
        [str(node), str(_FOLDER / "ask.js")],
        # Nothing that is set up for AWS on this machine counts.
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        | {"HOME": os.devnull}
        | ({} if authority is None else {"NODE_EXTRA_CA_CERTS": str(authority)}),
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))
