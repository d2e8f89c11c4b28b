"""The README names what there is."""

import re
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
from typer.main import get_group

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

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_readme_has_the_table_of_the_settings() -> None:
    """Its rows are the declarations, in their order; links may be added."""
    expected = []
    for setting in SETTINGS:
        default = setting.unset or (f"`{setting.default}`" if setting.default else "")
        expected.append(f"| `{setting.variable}` | {default}{' ' if default else ''}| {setting.help} |")
        if setting.file_variable:
            expected.append(f"| `{setting.file_variable}` | | A file that contains it. |")
    without_links = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", README)
    assert expected == re.findall(r"^\| `JOBINDEX_.*", without_links, re.MULTILINE)


def test_the_readme_names_every_metric_and_no_other() -> None:
    """A metric's name is its series' or its histogram's."""
    families = [family for family in Metrics(ServiceState()).registry.collect() if family.name.startswith("jobindex_")]
    expected = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert expected == set(re.findall(r"^\| `(jobindex_\w+)`", README, re.MULTILINE))


def test_the_readme_names_every_command() -> None:
    """Each command of the command line has its row."""
    assert set(get_group(app).commands) == set(re.findall(r"^\| `jobindex (\w+)[^`]*`", README, re.MULTILINE))


def test_the_readme_has_an_example_of_every_command_that_asks() -> None:
    """One that can be pasted; those that are called by their names alone have their row."""
    alone = {"serve", "demo", "migrate", "healthcheck"}
    pasted = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
    expected = set(get_group(app).commands) - alone - {"doctor", "check", "restore"}
    assert not [command for command in expected if f"jobindex {command} " not in pasted.replace("\n", " \n")]


def test_the_readme_names_every_path() -> None:
    """Each path that the service answers stands in a table of the README, and no other does."""
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
    # Neither what leads to the pages nor the stylesheet has an address to remember, nor has what is no page.
    paths -= {"/", "/ui", "/ui/static/{digest}/{name}", "/ui/{rest:path}"}
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    named = {path for row in rows for path in re.findall(r"`(?:(?:GET|PUT|POST|DELETE) )?(/[^`?]*)[^`]*`", row)}
    assert paths == named


@pytest.mark.parametrize("named", [*DEFAULT_FILTERS, *Ingestion, f"1 to {MAX_RESULTS}", JobStatus.COMPLETED])
def test_the_readme_tells_what_the_code_does(named: str) -> None:
    """Filters, states and limits are those of the code."""
    assert named in README


def test_the_files_that_the_readme_leads_to_exist() -> None:
    """Relative links lead somewhere."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_the_changelog_tells_of_this_version() -> None:
    """The version of the package has its heading."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()
