"""Log lines: text for people, JSON for programs."""

import asyncio
import logging
import sys
import time
from typing import Literal

import orjson

LogFormat = Literal["text", "json"]


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; times are UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def is_not_cancellation(record: logging.LogRecord) -> bool:
    """Return False for the traceback of a request that the shutdown cancelled: another line reports it."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


def set_up_logs(log_format: LogFormat, level: str) -> None:
    """Send log lines of `level` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if log_format == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # uvicorn's start and stop lines repeat ours; aiomqtt also raises the errors that it logs.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(is_not_cancellation)
    logging.getLogger("mqtt").setLevel(logging.ERROR)
