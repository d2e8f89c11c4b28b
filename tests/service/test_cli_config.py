"""`jobindex config`: the settings in force with their sources, without secrets."""

import json
from pathlib import Path

import pytest
from support.commands import jobindex

from jobindex.config.settings import SETTINGS


def shown(**settings: object) -> dict[str, tuple[str | None, str]]:
    """Return the value and the source of each setting, by its name without the prefix."""
    ended = jobindex("config", "--json", **settings)
    assert (0, "") == (ended.returncode, ended.stderr)
    found = json.loads(ended.stdout)
    return {name.removeprefix("JOBINDEX_"): (one["value"], one["source"]) for name, one in found.items()}


def test_every_setting_has_a_value_and_a_source() -> None:
    """Every setting has a value and a source; without any variable, all have their defaults."""
    assert {setting.name: (setting.default, "default") for setting in SETTINGS} == shown()
    assert ("9000", "environment") == shown(HTTP_PORT=9000)["HTTP_PORT"]


def test_a_table_has_a_row_for_each_setting() -> None:
    """The table has a row for each setting: a computed default is described, a missing one is a dash."""
    ended = jobindex("config", HTTP_PORT="9000")
    rows = [line.split(maxsplit=1) for line in ended.stdout.splitlines()]
    assert ["SETTING", *(setting.variable for setting in SETTINGS)] == [row[0] for row in rows]
    others = {name: " ".join(rest.split()) for name, rest in rows}
    assert "9000 environment" == others["JOBINDEX_HTTP_PORT"]
    assert "text on a terminal, else json default" == others["JOBINDEX_LOG_FORMAT"]
    assert "- default" == others["JOBINDEX_HTTP_TOKEN"]


def test_secrets_are_hidden(tmp_path: Path) -> None:
    """A secret is hidden, whichever its source; the rest of a URL is shown."""
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    settings = {
        "MQTT_URL": "mqtts://me:hun:t@er2hunter2@one.example,two.example:8884",
        "DATABASE_URL": "postgresql://me:hunter2@db/index?passfile=hunter2&sslpassword=hunter2",
        "DATABASE_PASSWORD_FILE": file,
        "MQTT_PASSWORD": "hunter2",
        "HTTP_TOKEN_FILE": file,
    }
    found = shown(**settings)
    assert ("mqtts://me:(hidden)@one.example,two.example:8884", "environment") == found["MQTT_URL"]
    assert ("postgresql://db/index", "environment") == found["DATABASE_URL"]
    assert ("(hidden)", "environment") == found["MQTT_PASSWORD"]
    for name in ("DATABASE_PASSWORD", "HTTP_TOKEN"):
        assert ("(hidden)", f"JOBINDEX_{name}_FILE={file}") == found[name]
    assert "hunter2" not in jobindex("config", **settings).stdout


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://host:1884", "mqtt://host:1884"),
        ("mqtt://user@host:1884", "mqtt://user@host:1884"),
        ("mqtt://:hunter2@host", "mqtt://:(hidden)@host"),
        ("mqtt://user:hun\nter2@host", "mqtt://user:(hidden)@host"),
    ],
)
def test_only_the_password_of_a_brokers_url_is_hidden(tmp_path: Path, url: str, expected: str) -> None:
    """Only the password of a broker's URL is hidden, even in a URL with line ends from a file."""
    (tmp_path / "url").write_text(url)
    assert expected == shown(MQTT_URL_FILE=tmp_path / "url", MQTT_USERNAME="me")["MQTT_URL"][0]


def test_wrong_settings_are_reported_at_once() -> None:
    """Wrong settings are reported as by `serve`; an unknown one only causes a warning."""
    ended = jobindex("config", HTTP_PORT="high", LOG_LEVEL="loud")
    expected = (
        "jobindex config: wrong settings:\nJOBINDEX_HTTP_PORT: 'high' is not a port from 0 to 65535\n"
        "JOBINDEX_LOG_LEVEL: 'loud' is not one of debug, info, warning, error\n"
    )
    assert (2, "", expected) == (ended.returncode, ended.stdout, ended.stderr)
    ended = jobindex("config", HTTP_PRT="1", LOG_FORMAT="json")
    assert "JOBINDEX_HTTP_PRT is not a setting of jobindex; did you mean JOBINDEX_HTTP_PORT?" in ended.stderr
