"""The command line explains itself, starts fast and exits with a meaningful status."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from support.commands import jobindex
from typer.core import TyperGroup
from typer.main import get_group

from jobindex.cli.app import app

GROUP = get_group(app)
COMMANDS = [
    (name, *inner)
    for name, command in GROUP.commands.items()
    for inner in [(), *((name,) for name in getattr(command, "commands", ()))]
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_teaches_by_an_example(command: tuple[str, ...]) -> None:
    """The help of a command has an example, and describes every option."""
    helped = jobindex(*command, "--help")
    assert (0, "") == (helped.returncode, helped.stderr)
    assert "Example" in helped.stdout
    assert not {"<bool>", "<str>", "<int>", "<path>", "<list[int]>"} & set(helped.stdout.split())
    found = GROUP.commands[command[0]]
    for name in command[1:]:
        assert isinstance(found, TyperGroup)
        found = found.commands[name]
    assert not [parameter.name for parameter in found.params if not getattr(parameter, "help", None)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "Usage: jobindex"),
        (("nothing",), "No such command 'nothing'"),
        (("serve", "--fast"), "No such option"),
        (("rejected", "retry"), "not both"),
        (("rejected", "retry", "1", "--all"), "not both"),
        (("rejected", "show", "first"), "ID"),
    ],
)
def test_a_wrong_call_is_told(arguments: tuple[str, ...], expected: str) -> None:
    """A wrong call exits with 2 and a message."""
    ended = jobindex(*arguments)
    assert 2 == ended.returncode
    assert expected in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list", "--status", "running"), "'--status': 'running' is not one of SCHEDULED, IN_PROGRESS, COMPLETED, "),
        (("export", "--target-selection", "x"), "'--target-selection': 'x' is not one of CONTINUOUS, SNAPSHOT"),
        (("list", "--limit", "abc"), "'--limit': 'abc' is not a whole number from 1"),
        (("stuck", "--limit", "0"), "'--limit': '0' is not a whole number from 1"),
        (("rejected", "show", "x"), "'ID': 'x' is not a whole number from 0"),
        (("rejected", "purge", "1", "x"), "'ID': 'x' is not a whole number from 0"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(arguments: tuple[str, ...], expected: str) -> None:
    """A wrong value is reported together with the valid ones."""
    ended = jobindex(*arguments)
    told = " ".join(word for word in ended.stderr.split() if word != "│")
    assert (2, True) == (ended.returncode, f"Invalid value for {expected}" in told), told


def test_wrong_settings_are_told_at_once_and_do_not_keep_help_away() -> None:
    """All wrong settings are reported in one message, and --help still works."""
    for command, told in (
        (("serve",), "jobindex cannot start:"),
        (("list",), "jobindex list: wrong settings:"),
        (("healthcheck",), "jobindex healthcheck: wrong settings:"),
        (("rejected", "list"), "jobindex rejected: wrong settings:"),
    ):
        ended = jobindex(*command, HTTP_PORT="high", LOG_LEVEL="loud")
        expected = (
            f"{told}\nJOBINDEX_HTTP_PORT: 'high' is not a port from 0 to 65535\n"
            "JOBINDEX_LOG_LEVEL: 'loud' is not one of debug, info, warning, error\n"
        )
        assert (2, "", expected) == (ended.returncode, ended.stdout, ended.stderr)
    assert 0 == jobindex("serve", "--help", HTTP_PORT="high").returncode


def test_settings_that_a_command_does_not_need_do_not_stop_it(tmp_path: Path) -> None:
    """A command checks only the settings of the service's address, or of the database."""
    ended = jobindex("list", MQTT_URL="bad", DATABASE_URL="bad", HTTP_PORT="1")
    assert (
        3,
        "jobindex list: http://127.0.0.1:1: [Errno 111] Connection refused; is the service running there?\n",
    ) == (
        ended.returncode,
        ended.stderr,
    )
    assert (1, True) == (
        (ended := jobindex("healthcheck", MQTT_URL="bad", HTTP_PORT="1")).returncode,
        ":1/" in ended.stderr,
    )
    settings = {"MQTT_URL": "bad", "HTTP_PORT": "high", "DATABASE_URL": f"sqlite:///{tmp_path}/jobindex.db"}
    for command in (("migrate",), ("check",), ("backup", tmp_path / "copy.db")):
        assert (0, "") == ((ended := jobindex(*command, **settings)).returncode, ended.stderr)
    ended = jobindex("migrate", DATABASE_URL="bad")
    assert (2, True) == (
        ended.returncode,
        ended.stderr.startswith("jobindex migrate: wrong settings:\nJOBINDEX_DATABASE_URL"),
    )


def test_the_version_is_told() -> None:
    """The version is printed without a command, even if settings are wrong."""
    ended = jobindex("--version", HTTP_PORT="high")
    assert (0, f"jobindex {version('jobindex')}\n", "") == (ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("arguments", [("healthcheck",), ("serve", "--help")])
def test_what_a_command_does_not_need_is_not_imported(arguments: tuple[str, ...]) -> None:
    """`healthcheck` and help import neither the service nor its libraries."""
    script = (
        "import sys; from jobindex.__main__ import main; main(sys.argv[1:]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} | set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        # Coverage measurement of subprocesses imports some of them.
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
            "JOBINDEX_HTTP_PORT": "1",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    heavy = {"aiomqtt", "paho", "starlette", "uvicorn", "aiosqlite", "sqlite3", "prometheus_client", "jobindex.service"}
    assert not heavy & set(ended.stdout.split())


def test_shells_can_complete() -> None:
    """Shell completion gets its candidates from jobindex itself."""
    environment = {**os.environ, "_JOBINDEX_COMPLETE": "complete_bash", "COMP_WORDS": "jobindex he", "COMP_CWORD": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "jobindex"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ["healthcheck"] == ended.stdout.split()
    assert "--install-completion" in jobindex("--help").stdout
