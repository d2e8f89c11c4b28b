"""Tables, colours and progress appear only on a terminal."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.brokers import publish
from support.commands import jobindex
from support.served_fleet import JOBS, served_fleet
from support.services import Service
from support.stub_server import answering
from support.terminals import on_terminal, run_on_terminal
from support.waiting import wait_until

from jobindex.cli.checks.check_result import CheckResult
from jobindex.cli.doctor import _show
from jobindex.storage.sqlite.backup import back_up

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

SLOW = """
import sys, time
from jobindex.cli import progress as module
module._SECONDS = 0.05
with module.progress("Copying", is_bytes=True) as working:
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        working.advance(2048, 4096)
print("done")
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, int]]:
    """Run a service with the fleet in its index."""
    with served_fleet(tmp_path_factory.mktemp("terminal")) as served:
        yield served


def test_a_terminal_gets_tables_with_colours(served: tuple[Service, int]) -> None:
    """A terminal gets tables with a line under the header and coloured statuses."""
    service, _ = served
    status, drawn = on_terminal("list", "--endpoint", service.url)
    assert 0 == status
    assert COLOUR.search(drawn)
    assert "───" in drawn
    assert JOBS == {line.split()[0] for line in CONTROL.sub("", drawn).splitlines() if " ago " in line}
    for arguments in (("stuck",), ("namespaces",), ("things", "pump-1"), ("show", "update-7")):
        status, drawn = on_terminal(*arguments, "--endpoint", service.url)
        assert (0, True) == (status, "───" in drawn)
    assert "━━━" in drawn, "no bar of the executions"


JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
GROUP = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
TABLE = """
from jobindex.cli.output import show_table
columns = ("JOB", "NAMESPACE", "STATUS", "SELECTION", "THING GROUP", "CREATED", "UPDATED", "COMPLETED")
show_table(columns, [("{}", "acme", "IN_PROGRESS", "CONTINUOUS", "{}", 1, 2, None)])
show_table(("THING", "JOB", "NAMESPACE", "STATE", "WAITING SINCE"), [("thing-" * 2, "{}", "acme", "IN_PROGRESS", 1)])
"""


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_ids_are_whole_however_narrow_the_terminal_is(width: int) -> None:
    """Ids stay whole on a narrow terminal, and other columns disappear first."""
    status, drawn = run_on_terminal(["-c", TABLE.format(JOB, GROUP, JOB)], environment={"COLUMNS": str(width)})
    lines = CONTROL.sub("", drawn).splitlines()
    assert (0, 2) == (status, sum(JOB in line for line in lines))
    assert "thing-" * 2 in drawn
    assert (width >= 200) == (GROUP in drawn) == ("THING GROUP" in drawn)
    if width >= 80:
        assert {"JOB", "NAMESPACE", "STATUS", "UPDATED"} <= set(lines[0].split())
        assert not [line for line in lines if len(line.rstrip()) > width]
        assert any("IN_PROGRESS" in line and "acme" in line for line in lines)


def test_no_color_is_respected(served: tuple[Service, int]) -> None:
    """NO_COLOR removes the colours and keeps the tables."""
    service, _ = served
    for arguments in (("list",), ("show", "update-7"), ("namespaces",)):
        _, drawn = on_terminal(*arguments, "--endpoint", service.url, NO_COLOR="1")
        assert "───" in drawn
        assert not COLOUR.search(drawn)


def test_json_is_never_coloured(served: tuple[Service, int]) -> None:
    """A terminal gets the same lines as a pipe."""
    service, _ = served
    for arguments in (("list", "--json"), ("export",)):
        _, drawn = on_terminal(*arguments, "--endpoint", service.url)
        assert drawn.replace("\r", "") == jobindex(*arguments, "--endpoint", service.url).stdout


def test_what_a_publisher_wrote_is_no_command_to_the_terminal(served: tuple[Service, int]) -> None:
    """Control characters and markup in a rejected message have no effect."""
    service, port = served
    publish(port, [("$aws/things/t/jobs/j/notify-namespace-n", "bad \x1b[31m [red]x[/red]")])
    wait_until(lambda: service.metric("messages_rejected_total") == 1, "the rejected message")
    _, drawn = on_terminal("rejected", "list", JOBINDEX_HTTP_PORT=service.url.rpartition(":")[2])
    assert not COLOUR.search(drawn)
    assert "───" in drawn
    status, drawn = on_terminal("rejected", "show", "1", JOBINDEX_HTTP_PORT=service.url.rpartition(":")[2])
    assert (0, True) == (status, "bad \\x1b[31m [red]x[/red]" in drawn)


HOSTILE = "a\x1b]0;\x7f\x9b31m\x85\u202e\u200f\U000e0001\ne"
"""ASCII controls, DEL, two C1 controls, two direction marks, a character beyond 16 bits, and a line feed."""
UNSEEN = {character for character in HOSTILE if not character.isprintable()}


def unseen(drawn: str) -> set[str]:
    """Return the control characters in terminal output, except our own line ends and colours."""
    return UNSEEN & set(CONTROL.sub("", drawn).replace("\r\n", ""))


def test_json_on_a_terminal_escapes_what_it_would_obey(tmp_path: Path) -> None:
    """JSON on a terminal escapes control characters and keeps its value; a file gets them unescaped."""
    script = f"from jobindex.cli.output import encode; print(encode([{HOSTILE!r}]))"
    _, drawn = run_on_terminal(["-c", script])
    assert drawn.isascii()
    assert ([HOSTILE], set()) == (json.loads(drawn), unseen(drawn))
    run_on_terminal(["-c", f"import sys; sys.stdout.reconfigure(encoding='utf-8'); {script}"], tmp_path / "out")
    assert "\x9b31m\x85\u202e" in (tmp_path / "out").read_text()


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("list", {"jobs": [{"jobId": HOSTILE, "status": HOSTILE, "targetSelection": HOSTILE}]}),
        ("list --json", {"jobs": [{"jobId": HOSTILE, "status": HOSTILE}]}),
        ("export", {"jobs": [{"jobId": HOSTILE}], "namespaces": []}),
        ("things", {"things": [HOSTILE]}),
        (
            "stuck",
            {"executions": [{"thingName": HOSTILE, "jobId": HOSTILE, "state": HOSTILE, "waitingSince": 1}]},
        ),
        (
            "namespaces",
            {
                "namespaces": [
                    {"namespaceId": HOSTILE, "jobs": {HOSTILE: 1}, "executions": {HOSTILE: 1}, "activity": []}
                ]
            },
        ),
        (
            "rejected show 1",
            {"id": 1, "rejectedAt": 1, "topic": HOSTILE, "reason": HOSTILE, "payloadBytes": 1, "text": ""},
        ),
        ("doctor", {"ready": False, "reason": HOSTILE, "ingestion": HOSTILE, "ingestionReason": HOSTILE}),
    ],
)
def test_what_a_service_answers_is_no_command_to_the_terminal(command: str, body: object) -> None:
    """Control characters in an answer have no effect, whichever command prints them."""
    with answering(json.dumps(body).encode(), jobindex_freshness="ingestion=connected, complete-since=@1") as url:
        _, drawn = on_terminal(*command.split(), JOBINDEX_HTTP_PORT=url.rpartition(":")[2])
    assert set() == unseen(drawn)
    assert "u009b31m" in drawn or "x9b31m" in drawn


def test_what_a_command_says_in_the_end_is_no_command_to_the_terminal(tmp_path: Path) -> None:
    """Control characters in an error, a path or the answer to `healthcheck` have no effect."""
    with answering(json.dumps({"message": HOSTILE}).encode(), 400) as url:
        status, drawn = on_terminal("list", "--endpoint", url)
        assert (1, set(), True) == (status, unseen(drawn), "x9b31m" in drawn)
    with answering(HOSTILE.encode() + b"\xff") as url:
        status, drawn = on_terminal("healthcheck", JOBINDEX_HTTP_PORT=url.rpartition(":")[2])
        assert (0, set(), True) == (status, unseen(drawn), "x9b31m" in drawn)
    path, copy = tmp_path / "jobindex.db", tmp_path / "a\x9b31m"
    assert 0 == jobindex("migrate", DATABASE_URL=f"sqlite:///{path}").returncode
    for command in ("backup", "restore"):
        status, drawn = on_terminal(command, copy, JOBINDEX_DATABASE_URL=f"sqlite:///{path}")
        assert (0, set(), True) == (status, unseen(drawn), "x9b31m" in drawn)
    status, drawn = on_terminal("check", f"{copy}3")
    assert (1, set(), True) == (status, unseen(drawn), "x9b31m3" in drawn)


def test_advice_of_the_doctor_is_no_command_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters that the advice quotes from settings have no effect."""
    _show(CheckResult(part="broker", text=HOSTILE, advice=HOSTILE), json=False)
    assert set() == unseen(capsys.readouterr().out.replace("\n", "\r\n"))


def test_errors_are_one_line(tmp_path: Path) -> None:
    """An error is one line without a traceback."""
    status, drawn = on_terminal("list", "--endpoint", "http://127.0.0.1:1")
    assert 3 == status
    assert ["jobindex list: http://127.0.0.1:1: [Errno 111] Connection refused; is the service running there?"] == [
        CONTROL.sub("", line) for line in drawn.splitlines()
    ]
    status, drawn = on_terminal("check", str(tmp_path / "none.db"))
    assert 1 == status
    assert "Traceback" not in drawn


def test_what_takes_long_shows_how_far_it_is(tmp_path: Path) -> None:
    """A long operation shows its progress on the terminal only; a short one shows nothing."""
    output = tmp_path / "output"
    status, drawn = run_on_terminal(["-c", SLOW], output)
    assert (0, "done\n") == (status, output.read_text())
    assert "Copying" in drawn
    assert "2.0/4.0 KiB" in CONTROL.sub("", drawn)
    _, drawn = run_on_terminal(["-c", SLOW.replace("= 0.05", "= 60")])
    assert "Copying" not in drawn, "what ends soon shows nothing"


def test_what_is_printed_meanwhile_stands_above(tmp_path: Path) -> None:
    """Lines printed during a progress bar stay whole."""
    path = tmp_path / "jobindex.db"
    assert 0 == jobindex("migrate", DATABASE_URL=f"sqlite:///{path}").returncode
    script = (
        "import sys; from jobindex.cli import progress; progress._SECONDS = 0;"
        "from jobindex.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    piped = jobindex("check", path).stdout.splitlines()
    status, drawn = run_on_terminal(["-c", script, "check", path])
    assert 0 == status
    drawn_lines = CONTROL.sub("", drawn).replace("\r", "\n").splitlines()
    assert not [line for line in piped if line not in drawn_lines]


def test_a_backup_tells_how_far_it_is(tmp_path: Path) -> None:
    """A backup reports its progress in bytes of the file's size."""
    path = tmp_path / "jobindex.db"
    assert 0 == jobindex("migrate", DATABASE_URL=f"sqlite:///{path}").returncode
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE filler AS WITH RECURSIVE numbers (n) AS "
            "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200000) SELECT n, zeroblob(50) FROM numbers"
        )
    told: list[tuple[int, int]] = []
    back_up(path, tmp_path / "copy.db", lambda done, total: told.append((done, total)))
    assert told
    assert {path.stat().st_size} == {total for _, total in told}
    assert sorted(told) == told
