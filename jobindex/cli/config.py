"""`jobindex config`: the settings in force, and their sources."""

import os
from typing import Annotated

import typer

from jobindex.cli.output import UNKNOWN, encode, printable, say, show_table
from jobindex.cli.settings import load_settings
from jobindex.config.reader import SettingsReader
from jobindex.config.settings import ALL, SETTINGS

EXAMPLE = "Example: jobindex config"


def config(*, json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Print the settings in force: the name, the value and the source of each. Secrets are hidden.

    The source is `environment`, `default`, or the variable that names the file of the setting. Exits with 2 if a
    setting is wrong.
    """
    load_settings()
    reader = SettingsReader(SETTINGS, os.environ, ALL)
    found = {setting: (reader.shown(setting), printable(reader.source(setting))) for setting in SETTINGS}
    if json:
        say(encode({one.variable: {"value": value, "source": source} for one, (value, source) in found.items()}))
        return
    rows = [
        (one.variable, value or one.unset.replace("`", "") or UNKNOWN, source) for one, (value, source) in found.items()
    ]
    show_table(("SETTING", "VALUE", "SOURCE"), rows)
