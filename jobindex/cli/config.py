"""`jobindex config`: the settings in force, and where each comes from."""

import os
from typing import Annotated

import typer

from jobindex.cli.output import UNKNOWN, encode, printable, say, show_table
from jobindex.cli.settings import load_settings
from jobindex.config.reader import SettingsReader
from jobindex.config.settings import ALL, SETTINGS

EXAMPLE = "Example: jobindex config"


def config(*, json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False) -> None:
    """Print the settings in force: the name, the value and the source of each. Secrets are hidden.

    The source is `environment`, the variable that names a file with the setting, or `default`. Exits with 2 when
    settings are wrong.
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
