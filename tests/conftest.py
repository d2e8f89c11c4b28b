"""The options that select tests, and fixtures that several test modules share.

A run without options takes minutes. `--system` adds the tests of `tests/system/`, slow tests, PostgreSQL in every suite
instead of a few cases of CONTRACT, more examples of each property, and commands as processes (support/commands.py).
`--left-out` runs only the tests and cases that `--system` adds. A path of `tests/system/` on the command line needs no
option.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from support import commands
from support.empty_indexes import empty_index
from support.messages import Index
from support.postgresql_servers import Databases, databases

from jobindex.model.store import Store
from jobindex.storage.databases import PostgresDatabase, SqliteDatabase
from jobindex.storage.opening import open_store

SYSTEM = Path(__file__).parent / "system"
UNIT = Path(__file__).parent / "unit"
CONTRACT = {"test_store.py": 1, "test_truth.py": 3}
"""The number of cases of each test that a run without options also runs on PostgreSQL, by suite."""
LEFT_OUT = f"""\
left out: tests/system (clusters, faults, a browser, AWS's clients, nginx, Prometheus, Docker), slow tests,
PostgreSQL beyond a few cases of each test of {" and ".join(CONTRACT)},
and most examples of each property: `pytest --system` runs them."""

settings.register_profile("plain", deadline=None, max_examples=25)
settings.register_profile("system", deadline=None, max_examples=80)
settings.register_profile("long", deadline=None, max_examples=3000)
# The same few examples for each mutant, without shrinking.
settings.register_profile(
    "mutation",
    deadline=None,
    max_examples=10,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--system` and `--left-out`."""
    parser.addoption("--system", action="store_true", help="run tests/system, and PostgreSQL in all suites, too")
    parser.addoption("--left-out", action="store_true", help="run only the tests that a run without options leaves out")


def _is_plain(config: pytest.Config) -> bool:
    return not (config.getoption("system") or config.getoption("left_out"))


def pytest_configure(config: pytest.Config) -> None:
    """Load the Hypothesis profile before test modules read it, and let commands cache jobindex's bytecode."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    commands.is_forked = _is_plain(config)
    profile = "plain" if _is_plain(config) else "system"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", profile))


@pytest.hookimpl(optionalhook=True)  # mutmut runs without pytest-xdist
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return 4, because most tests wait at times; or 2 for unit tests only, because each worker collects them first."""
    return 2 if all(Path(argument.partition("::")[0]).resolve().is_relative_to(UNIT) for argument in config.args) else 4


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out `tests/system/`, unless an option or the command line names it."""
    return True if collection_path == SYSTEM and _is_plain(config) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out slow tests and most cases on PostgreSQL; with `--left-out`, run only these and `tests/system/`."""
    if not config.getoption("system"):
        slow = {item for item in items if item.get_closest_marker("slow")}
        cases = [item for item in items if not item.path.is_relative_to(SYSTEM) and _needs_postgresql(item)]
        cases.sort(key=lambda case: case.nodeid, reverse=True)
        deselected = slow | ({*cases} - {*_few_of_each(cases)})
        if config.getoption("left_out"):
            system = {item for item in items if item.path.is_relative_to(SYSTEM)}
            deselected = {*items} - deselected - system
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def _few_of_each(cases: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the last cases of each test, as many as CONTRACT allows."""
    seen: Counter[tuple[Path, str]] = Counter()
    for case in reversed(cases):
        test = case.path, case.name.partition("[")[0]
        seen[test] += 1
        if seen[test] <= CONTRACT.get(case.path.name, 0):
            yield case


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the skipped tests by reason, and the tests that this run leaves out."""
    reports = [report for report in terminalreporter.stats.get("skipped", ()) if isinstance(report.longrepr, tuple)]
    skipped = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    if skipped or _is_plain(config):
        terminalreporter.section("not run")
    for reason, count in sorted(skipped.items()):
        terminalreporter.write_line(f"skipped: {reason} (tests or modules: {count})")
    if _is_plain(config):
        terminalreporter.write_line(LEFT_OUT)


def _needs_postgresql(item: pytest.Item) -> bool:
    """Return whether a test uses PostgreSQL, directly or through a parameter of a fixture."""
    assert isinstance(item, pytest.Function)
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "postgresql" in item.fixturenames or "postgresql" in parameters


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Databases]:
    """Run one PostgreSQL server in each process, from the first test that requests it until the last test ends."""
    with databases() as opened:
        yield opened


@pytest.fixture
def postgres_url(postgresql: Databases) -> Iterator[str]:
    """Create an empty PostgreSQL database for one test, and return its URL."""
    with postgresql.fresh() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open an empty, writable index; each test that requests it runs on every engine."""
    if request.param == "sqlite":
        opening = open_store(SqliteDatabase(path=empty_index(tmp_path / "jobindex.db")))
    else:
        database = PostgresDatabase(conninfo=request.getfixturevalue("postgres_url"), shown="postgresql")
        opening = open_store(database)
    async with opening as opened:
        assert await opened.take_lease("{}", seconds=3600)
        yield opened


@pytest.fixture(params=[False, True], ids=["as told", "in reverse"])
def index(request: pytest.FixtureRequest, store: Store) -> Index:
    """Run each test twice: the store receives the messages in the order of the test, and in reverse."""
    return Index(store, reverse=request.param)
