"""Log lines."""

import json
import logging
from collections.abc import Iterator

import pytest

from jobindex.config.logs import JsonFormatter, set_up_logs


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Restore the loggers after a test."""
    loggers = [logging.getLogger(), logging.getLogger("uvicorn"), logging.getLogger("mqtt")]
    levels, handlers = [logger.level for logger in loggers], loggers[0].handlers[:]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    loggers[0].handlers[:] = handlers


def test_a_json_line_holds_a_record() -> None:
    """A record has its time in UTC to the millisecond, level, logger and message."""
    record = logging.LogRecord("jobindex.ingest.subscriber", logging.WARNING, __file__, 1, "lost %s", ("it",), None)
    record.created, record.msecs = 1486687079.743, 743.0
    expected = {
        "time": "2017-02-10T00:37:59.743Z",
        "level": "warning",
        "logger": "jobindex.ingest.subscriber",
        "message": "lost it",
    }
    assert expected == json.loads(JsonFormatter().format(record))


def test_a_json_line_holds_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback is in the line of its record."""
    set_up_logs("json", "info")
    try:
        raise ValueError("wrong")  # noqa: TRY301
    except ValueError:
        logging.getLogger("test").exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["exception"].endswith("ValueError: wrong")


def test_text_lines_and_levels(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines below the level are not printed."""
    set_up_logs("text", "warning")
    logging.getLogger("test").info("quiet")
    logging.getLogger("test").warning("loud")
    assert capsys.readouterr().err.endswith(" WARNING loud\n")
