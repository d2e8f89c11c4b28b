"""AWS's own client for JavaScript, run by Node.js: `npm install --prefix tests/sdk_js` brings it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support.waiting import require

_FOLDER = Path(__file__).parents[1] / "sdk_js"

Call = tuple[str, dict[str, Any]]
"""An operation's name, such as `ListJobs`, and its input."""


def ask(
    url: str,
    *calls: Call,
    access_key_id: str = "test",
    secret: str | None = "test",
    region: str = "us-east-1",
    attempts: int = 1,
    clock_offset: int = 0,
    authority: Path | None = None,
) -> list[dict[str, Any]]:
    """Return the answer to each call, or `{"error": {"name": …, "status": …, "message": …}}`.

    Times are texts, as JSON has none. Without a secret nothing is signed. `clock_offset` is how many milliseconds the
    client adds to what its clock says; `authority` is whose certificates it trusts besides the usual ones. Skips the
    test where the client is not installed.
    """
    node = shutil.which("node")
    require("node", found=node is not None)
    require("@aws-sdk/client-iot", found=(_FOLDER / "node_modules" / "@aws-sdk" / "client-iot").is_dir())
    question = {
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
