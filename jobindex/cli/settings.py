"""The settings of the process that runs a command."""

import logging
import os
import sys
from collections.abc import Collection, Sequence

from jobindex.config.logs import set_up_logs
from jobindex.config.settings import ALL, Settings, nearest_setting, read_settings, unknown_settings

_log = logging.getLogger("jobindex")

OF_HTTP = ("HTTP_HOST", "HTTP_PORT", "HTTP_CERT_FILE", "HTTP_TOKEN")
"""What a command needs that asks the service."""
OF_ENDPOINT = ("HTTP_CA_FILE", "HTTP_TOKEN")
"""What it needs that asks one elsewhere."""
OF_KEYS: Sequence[str] = ()
"""What a command needs that works with the keys file: it need not be there yet."""
OF_DATABASE = ("DATABASE_URL",)
"""What a command needs that works with the file."""


def load_settings(needed: Collection[str] = ALL, *, are_unknown_told: bool = True) -> Settings:
    """Return the settings after setting up the log, and warn of variables that look like settings and are not.

    Raises:
        SettingsError: one or more of the needed settings are wrong.
    """
    settings = read_settings(os.environ, is_terminal=sys.stderr.isatty(), needed=needed)
    set_up_logs(settings.log_format, settings.log_level)
    for name in unknown_settings(os.environ) if are_unknown_told else ():
        nearest = nearest_setting(name)
        _log.warning("%s is no setting of jobindex%s", name, f"; did you mean {nearest}?" if nearest else "")
    return settings
