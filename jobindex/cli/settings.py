"""The settings that commands need."""

import logging
import os
import sys
from collections.abc import Collection, Sequence

from jobindex.config.logs import set_up_logs
from jobindex.config.settings import ALL, Settings, nearest_setting, read_settings, unknown_settings
from jobindex.errors import SettingsError

_log = logging.getLogger("jobindex")

OF_HTTP = ("HTTP_HOST", "HTTP_PORT", "HTTP_CERT_FILE", "HTTP_TOKEN")
"""For a command that queries the service of this machine."""
OF_ENDPOINT = ("HTTP_CA_FILE", "HTTP_TOKEN")
"""For a command that queries the service at --endpoint."""
OF_KEYS: Sequence[str] = ()
"""For a command that uses the keys file, which need not exist yet."""
OF_DATABASE = ("DATABASE_URL",)
"""For a command that uses the database."""


def load_settings(needed: Collection[str] = ALL, *, warns_of_unknown: bool = True) -> Settings:
    """Set up the log and return the settings; warn of unknown variables that look like settings.

    Raises:
        SettingsError: one or more of the needed settings are wrong.
    """
    warnings = [_unknown(name) for name in unknown_settings(os.environ)] if warns_of_unknown else []
    try:
        settings = read_settings(os.environ, is_terminal=sys.stderr.isatty(), needed=needed)
    except SettingsError as error:
        raise SettingsError([*error.problems, *warnings]) from error  # a typo may be the reason for the other problems
    set_up_logs(settings.log_format, settings.log_level)
    for warning in warnings:
        _log.warning("%s", warning)
    return settings


def _unknown(name: str) -> str:
    nearest = nearest_setting(name)
    return f"{name} is not a setting of jobindex" + (f"; did you mean {nearest}?" if nearest else "")
