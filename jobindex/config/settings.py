"""All settings: their declarations and their values."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import get_args

from jobindex.aws.plan import AwsSync
from jobindex.config import aws, database, http, mqtt
from jobindex.config.aws import read_aws
from jobindex.config.database import read_database
from jobindex.config.http import Http, read_http
from jobindex.config.logs import LogFormat
from jobindex.config.mqtt import read_brokers
from jobindex.config.parsers import choice, matching
from jobindex.config.reader import PREFIX, Setting, SettingsReader
from jobindex.errors import SettingsError
from jobindex.ingest.broker import Broker
from jobindex.messages.parsing import Parser
from jobindex.model.store import RejectedLimits
from jobindex.model.views import STUCK_AFTER
from jobindex.storage.databases import Database

_OTHERS = {"JOBINDEX_PORT", "JOBINDEX_A_PORT", "JOBINDEX_B_PORT"}
"""Variables that only `compose.yaml` reads."""
_TESTS = "JOBINDEX_TEST_"
"""The prefix of variables that only the tests read."""

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"}
"""The partition of regions by the prefix of their names; all others are in `aws`."""

_STUCK_SECONDS = Setting(
    "STUCK_SECONDS",
    matching(r"(?=.*[1-9])[0-9]{1,9}", "a number of seconds from 1 to 999999999", lambda n: timedelta(seconds=int(n))),
    default=str(int(STUCK_AFTER.total_seconds())),
    help="The seconds that an execution can be pending before it counts as stuck.",
)
_JOB_DOCUMENTS = Setting(
    "JOB_DOCUMENTS",
    choice(("drop", "keep")),
    default="drop",
    help="Whether to `keep` job documents for GetJobDocument or `drop` them; they may hold presigned URLs.",
)
_AWS_REGION = Setting(
    "AWS_REGION",
    matching(r"[a-z0-9-]+", "a region such as us-east-1", str),
    default="us-east-1",
    help="The region in ARNs that no message reported, and in clients' signatures.",
)
_AWS_ACCOUNT_ID = Setting(
    "AWS_ACCOUNT_ID",
    matching(r"[0-9]{12}", "twelve digits", str),
    default="000000000000",
    help="The account in ARNs that no message reported.",
)
_LOG_FORMAT: Setting[LogFormat] = Setting(
    "LOG_FORMAT",
    choice(get_args(LogFormat)),
    unset="`text` on a terminal, else `json`",
    help="The format of log lines.",
)
_LOG_LEVEL = Setting(
    "LOG_LEVEL",
    choice(("debug", "info", "warning", "error")),
    default="info",
    help="The lowest level to log: `debug`, `info`, `warning` or `error`.",
)
SETTINGS: Sequence[Setting[object]] = (
    *mqtt.SETTINGS,
    *database.SETTINGS,
    _STUCK_SECONDS,
    *http.SETTINGS,
    *(_JOB_DOCUMENTS, _AWS_REGION, _AWS_ACCOUNT_ID),
    *aws.SETTINGS,
    *(_LOG_FORMAT, _LOG_LEVEL),
)
ALL = frozenset(setting.name for setting in SETTINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values of all settings."""

    brokers: tuple[Broker, ...]
    """In the order in which they are tried."""
    topic_filters: tuple[str, ...]
    """With the topic prefix."""
    topic_prefix: str
    keeps_documents: bool
    database: Database
    lease: timedelta
    rejected_limits: RejectedLimits
    retention: timedelta | None
    """The time for which an ended job is kept after its last message; None keeps it forever."""
    stuck_after: timedelta
    http: Http
    aws_region: str
    aws_account_id: str
    aws_sync: AwsSync
    log_format: LogFormat
    log_level: str

    def parser(self, note: Callable[[str], None] = lambda _: None) -> Parser:
        """Return the message parser; `note` gets the name of each member that it drops."""
        return Parser(topic_prefix=self.topic_prefix, keeps_documents=self.keeps_documents, note=note)

    @property
    def arn_prefix(self) -> str:
        """The beginning of the ARNs that no message reported."""
        partition = next((name for start, name in _PARTITIONS.items() if self.aws_region.startswith(start)), "aws")
        return f"arn:{partition}:iot:{self.aws_region}:{self.aws_account_id}"

    @property
    def named_arn_prefix(self) -> str | None:
        """The same; None if the settings do not name the account."""
        return None if self.aws_account_id == _AWS_ACCOUNT_ID.default else self.arn_prefix


def read_settings(environment: Mapping[str, str], *, is_terminal: bool, needed: Collection[str] = ALL) -> Settings:
    """Return the settings in an environment; `is_terminal` decides the default log format.

    Wrong settings have their defaults if they are neither `needed` nor settings of the log.

    Raises:
        SettingsError: one or more are wrong; a line for each names the variable and the value.
    """
    reader = SettingsReader(SETTINGS, environment, {*needed, _LOG_FORMAT.name, _LOG_LEVEL.name})
    settings = Settings(
        brokers=read_brokers(reader),
        topic_filters=tuple(reader[mqtt.TOPIC_PREFIX] + topic_filter for topic_filter in reader[mqtt.TOPICS]),
        topic_prefix=reader[mqtt.TOPIC_PREFIX],
        keeps_documents=reader[_JOB_DOCUMENTS] == "keep",
        database=read_database(reader),
        lease=reader[database.LEASE],
        rejected_limits=RejectedLimits(
            max_messages=reader[database.REJECTED_MAX_MESSAGES], max_bytes=reader[database.REJECTED_MAX_BYTES]
        ),
        retention=reader.get(database.RETENTION_DAYS),
        stuck_after=reader[_STUCK_SECONDS],
        http=read_http(reader),
        aws_region=reader[_AWS_REGION],
        aws_account_id=reader[_AWS_ACCOUNT_ID],
        aws_sync=read_aws(reader),
        log_format=reader.get(_LOG_FORMAT) or ("text" if is_terminal else "json"),
        log_level=reader[_LOG_LEVEL],
    )
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return variables that look like settings but are not, such as misspelt ones."""
    known = {*_variables(), *_OTHERS}
    return sorted(
        name for name in environment if name.startswith(PREFIX) and name not in known and not name.startswith(_TESTS)
    )


def nearest_setting(unknown: str) -> str | None:
    """Return the variable with the most similar name; None if none is similar."""
    names = [variable.removeprefix(PREFIX) for variable in _variables()]
    name = unknown.removeprefix(PREFIX)
    near = get_close_matches(name, names)
    # MQTT_USER is a prefix of MQTT_USERNAME, but as near to MQTT_URL.
    return next((PREFIX + found for found in sorted(near, key=lambda found: not found.startswith(name))), None)


def _variables() -> list[str]:
    return [name for setting in SETTINGS for name in (setting.variable, setting.file_variable) if name is not None]
