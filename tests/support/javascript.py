"""AWS's own clients for JavaScript, run by Node.js; `npm install --prefix tests/sdk_js` installs them."""

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
"""The package and the class of each service's client."""

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

    Times are strings such as `2017-02-10T00:37:59.743Z`, as JSON has no times. Without a secret, requests are unsigned.
    `clock_offset` is added to the client's clock, in milliseconds; `authority` is a CA certificate that the client
    trusts in addition to the usual ones. Skips the test if the client is not installed.
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
        # Ignore this machine's AWS configuration.
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
