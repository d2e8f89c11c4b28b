"""The settings of the process that runs a command."""

import logging
import os
import sys

from jobindex.config import Settings, read_settings, unknown_settings
from jobindex.logs import set_up_logs

_log = logging.getLogger("jobindex")


def load_settings() -> Settings:
    """Return the settings, and log from now on as they say.

    Raises:
        SettingsError: one or more are wrong.
    """
    settings = read_settings(os.environ, is_terminal=sys.stderr.isatty())
    set_up_logs(settings.log_format, settings.log_level)
    for name in unknown_settings(os.environ):
        _log.warning("%s is no setting of jobindex", name)
    return settings
