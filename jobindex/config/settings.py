"""All settings, as one value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast, get_args

from jobindex.broker import Broker
from jobindex.config.database import read_database
from jobindex.config.http import Http, read_http
from jobindex.config.mqtt import read_brokers, read_topic_filters
from jobindex.config.names import PREFIX, SECRETS, SETTINGS
from jobindex.config.reader import Reader
from jobindex.databases import Database
from jobindex.errors import SettingsError
from jobindex.index import STUCK_AFTER
from jobindex.logs import LogFormat
from jobindex.store import RejectedLimits

_LEASE = timedelta(seconds=10)
_LIMITS = RejectedLimits()
_LOG_SETTINGS = ("LOG_FORMAT", "LOG_LEVEL")
_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a service is told at its start."""

    brokers: tuple[Broker, ...]
    """The one, or those of a cluster, in the order in which they are tried."""
    topic_filters: tuple[str, ...]
    database: Database
    lease: timedelta
    """How long a replica that ingests may be silent before another goes on in its place."""
    rejected_limits: RejectedLimits
    retention: timedelta | None
    """How long an ended job is kept after it was last told of; None is for ever."""
    stuck_after: timedelta
    """How long an execution may be pending before it counts as stuck."""
    http: Http
    aws_region: str
    aws_account_id: str
    log_format: LogFormat
    log_level: str

    @property
    def arn_prefix(self) -> str:
        """What stands in front of the ids of jobs that were told without an ARN."""
        return f"{self._arn}:job/"

    @property
    def thing_arn_prefix(self) -> str:
        """What stands in front of the names of things."""
        return f"{self._arn}:thing/"

    @property
    def _arn(self) -> str:
        return f"arn:aws:iot:{self.aws_region}:{self.aws_account_id}"


def read_settings(environment: Mapping[str, str], *, is_terminal: bool, needed: Collection[str] = SETTINGS) -> Settings:
    """Return the settings in an environment; `is_terminal` decides how lines are logged by default.

    Those that are not `needed`, nor of the log, read as their defaults where they are wrong.

    Raises:
        SettingsError: one or more are wrong; a line for each names the variable and the value.
    """
    reader = Reader(environment, {*needed, *_LOG_SETTINGS})
    settings = Settings(
        brokers=read_brokers(reader),
        topic_filters=read_topic_filters(reader),
        database=read_database(reader),
        lease=reader.duration("DATABASE_LEASE", _LEASE),
        rejected_limits=RejectedLimits(
            max_messages=reader.number("REJECTED_MAX_MESSAGES", _LIMITS.max_messages),
            max_bytes=reader.number("REJECTED_MAX_BYTES", _LIMITS.max_bytes),
        ),
        retention=reader.days("RETENTION_DAYS"),
        stuck_after=reader.seconds("STUCK_SECONDS", STUCK_AFTER),
        http=read_http(reader),
        aws_region=reader.text("AWS_REGION", "us-east-1", r"[a-z0-9-]+", "a region such as us-east-1"),
        aws_account_id=reader.text("AWS_ACCOUNT_ID", "000000000000", r"[0-9]{12}", "twelve digits"),
        log_format=cast(
            "LogFormat", reader.choice("LOG_FORMAT", "text" if is_terminal else "json", get_args(LogFormat))
        ),
        log_level=reader.choice("LOG_LEVEL", "info", _LOG_LEVELS),
    )
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none, such as misspelt ones."""
    known = {PREFIX + name for name in SETTINGS} | {f"{PREFIX}{name}_FILE" for name in SECRETS}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
