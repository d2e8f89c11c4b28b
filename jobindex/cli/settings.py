"""The settings of the process that runs a command."""

import logging
import os
import sys

from jobindex.config import Settings, read_settings, unknown_settings
from jobindex.logs import set_up_logs

_log = logging.getLogger("jobindex")


def load_settings(*, are_unknown_told: bool = True) -> Settings:
    """Return the settings, and log from now on as they say; first of variables that look like settings and are none.

    Raises:
        SettingsError: one or more are wrong.
    """
    settings = read_settings(os.environ, is_terminal=sys.stderr.isatty())
    set_up_logs(settings.log_format, settings.log_level)
    for name in unknown_settings(os.environ) if are_unknown_told else ():
        _log.warning("%s is no setting of jobindex", name)
    return settings
