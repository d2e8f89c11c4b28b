"""The documentation names everything that a user can see or set, and nothing else."""

import re
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer
from support.documentation import LANGUAGES, PAGES, ROOT, RUN, blocks
from typer.cli import get_docs_for_click
from typer.main import get_command, get_group

from jobindex.cli.app import app
from jobindex.config.settings import SETTINGS
from jobindex.messages.topics import DEFAULT_FILTERS
from jobindex.model.jobs import JobStatus
from jobindex.model.parameters import MAX_RESULTS
from jobindex.monitoring.metrics import Metrics
from jobindex.monitoring.state import Ingestion, ServiceState
from jobindex.web.api.app import create_app
from jobindex.web.changes import ChangeFeed
from jobindex.web.ui.routes import make_ui

README = ROOT / "README.md"
DOCS = ROOT / "docs"
TEXT = "\n".join(page.read_text() for page in PAGES)


def test_the_readme_is_one_screen() -> None:
    """Everything else is in docs/."""
    assert len(README.read_text().splitlines()) <= 150


def test_the_settings_are_their_declarations() -> None:
    """Name, default and help, in their order; the documentation may add links."""
    expected = []
    for setting in SETTINGS:
        default = setting.unset or (f"`{setting.default}`" if setting.default else "")
        expected.append(f"| `{setting.variable}` | {default}{' ' if default else ''}| {setting.help} |")
        if setting.file_variable:
            expected.append(f"| `{setting.file_variable}` | | A file that contains it. |")
    without_links = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", (DOCS / "settings.md").read_text())
    assert expected == re.findall(r"^\| `JOBINDEX_.*", without_links, re.MULTILINE)


def test_the_command_line_is_its_own_help() -> None:
    """`typer jobindex.cli.app utils docs --name jobindex --title "Command line" --output docs/command-line.md`."""
    command = get_command(app)
    generated = get_docs_for_click(obj=command, ctx=typer.Context(command), name="jobindex", title="Command line")
    assert f"{generated.strip()}\n" == (DOCS / "command-line.md").read_text()


def test_each_metric_has_a_row_and_each_row_a_metric() -> None:
    """A metric's name is its series' or its histogram's."""
    families = [family for family in Metrics(ServiceState()).registry.collect() if family.name.startswith("jobindex_")]
    expected = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert expected == set(re.findall(r"^\| `(jobindex_\w+)`", (DOCS / "monitor.md").read_text(), re.MULTILINE))


def test_each_command_that_asks_has_an_example() -> None:
    """It stands in a block that can be pasted."""
    alone = {"serve", "demo", "migrate", "healthcheck"}
    pasted = "\n".join(block.text for page in PAGES for block in blocks(page) if block.language == "sh")
    expected = set(get_group(app).commands) - alone
    assert not [command for command in expected if f"jobindex {command} " not in pasted.replace("\n", " \n")]


def test_each_path_has_a_row_and_each_row_a_path() -> None:
    """The service answers each path of the tables, and no other."""
    app = create_app(
        ServiceState(),
        Metrics(ServiceState()),
        ChangeFeed(ServiceState()),
        pages=make_ui(ServiceState(), nullcontext()).routes,
    )
    paths = {
        getattr(route, "path", "") + getattr(inner, "path", "")
        for route in app.routes
        for inner in getattr(route, "routes", None) or [None]
    }
    # Neither the redirects to the pages nor the stylesheet has an address to remember.
    paths -= {"/", "/ui", "/ui/static/{digest}/{name}", "/ui/{rest:path}"}
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    named = {path for row in rows for path in re.findall(r"`(?:(?:GET|PUT|POST|DELETE) )?(/[a-z][^`?]*)[^`]*`", row)}
    assert paths == {path for path in named if not path.startswith(("/var", "/data", "/run", "/etc"))}


@pytest.mark.parametrize("named", [*DEFAULT_FILTERS, *Ingestion, f"1 to {MAX_RESULTS}", JobStatus.COMPLETED])
def test_filters_states_and_limits_are_those_of_the_code(named: str) -> None:
    """The documentation names each."""
    assert named in TEXT


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.stem)
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    """On a code host, too, which knows nothing of the site."""
    for file, _, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)(#([^)\s]*))?\)", page.read_text()):
        target = page.parent / file if file else page
        assert target.exists(), file
        if heading:
            assert heading in _anchors(target), f"{file}#{heading}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_block_has_a_language_and_is_run_or_says_why_not(page: Path) -> None:
    """The comment before it has the reason; tests/system/test_examples.py runs the others."""
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{page.name}:{block.line}"
        assert not block.how or block.language in RUN, f"{page.name}:{block.line}: {block.how}"
        assert block.how != "not run:", f"{page.name}:{block.line}"


def test_the_changelog_has_this_version() -> None:
    """The version of the package has its heading."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
