"""The tables of an index, the same in every engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobindex.model.job import REGISTERS
from jobindex.model.views import ExecutionState

Values = tuple[Any, ...]
"""The columns of a row, or of its key: texts, integers, bytes and nulls, as the database returns them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, read in pages by key."""

    name: str
    key: tuple[str, ...]
    others: tuple[str, ...] = ()
    defaults: Values = ()
    """The defaults of all columns; those of the key do not matter."""
    indexed: frozenset[str] = frozenset()
    """The columns of indexes: an update does not set those that are unchanged."""
    page_rows: int = 5000
    """Rows read at once, and written in one short transaction."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, those of the key first."""
        return self.key + self.others

    @property
    def is_indexed(self) -> bytes:
        """Whether each column is indexed, as bytes."""
        return bytes(column in self.indexed for column in self.columns)

    @property
    def is_other(self) -> bytes:
        """Whether each column is outside the key, as bytes."""
        return bytes(column not in self.key for column in self.columns)

    def key_of(self, row: Values) -> Values:
        """Return the key of a row."""
        return row[: len(self.key)]

    def page(self, after: Values) -> tuple[str, Mapping[str, Any]]:
        """Return the statement of the page after a key, the first for (), and its parameters."""
        key, given = ", ".join(self.key), ", ".join(f":key_{place}" for place in range(len(after)))
        where = f"WHERE ({key}) > ({given})" if after else ""
        statement = f"""
            SELECT {", ".join(self.columns)}
            FROM {self.name}
            {where}
            ORDER BY {key}
            LIMIT :page_rows
            """
        parameters = {f"key_{place}": value for place, value in enumerate(after)}
        return statement, {**parameters, "page_rows": self.page_rows}


STATE_COLUMNS = {state: f"{state.lower()}_executions" for state in ExecutionState}
"""The columns of a job that count its executions."""
_ATTEMPT = (
    "seen_at",
    "waited_at",
    "is_started",
    "started_at",
    "version_number",
    "updated_at",
    "details",
    "details_second",
    "details_rank",
    "details_version",
    "is_details_cut",
)
_NONE: Values = (None,) * 20
_ATTEMPT_DEFAULTS: Values = (-1, -1, 0, -1, -1, -1, *_NONE[:5])
_END = ("end_rank", "end_at", "end_version", "end_is_event", "end_number", "end_started_at")

JOBS = Table(
    name="jobs",
    key=("job_id",),
    others=(
        *REGISTERS,
        *(f"{name}_stamp" for name in REGISTERS),
        "earliest_at",
        "latest_at",
        "arrived_at",
        "deleted_at",
        "published_at",
        *STATE_COLUMNS.values(),
        "untimed_ends",
        "born_at",
        "inferred_end_at",
        "listed_created_at",
    ),
    defaults=(
        None,
        *(None for _ in REGISTERS),
        *(-16 for _ in REGISTERS),
        *(-1, -1, None, -2, -2),
        *(0 for _ in STATE_COLUMNS),
        *(0, None, None, None),
    ),
    indexed=frozenset({"deleted_at", "inferred_end_at"}),
)
EXECUTIONS = Table(
    name="executions",
    key=("job_id", "thing_name"),
    others=(
        "queued_at",
        "execution_number",
        *_ATTEMPT,
        *_END,
        "further",
        "thing_arn",
        "heard_at",
        "state",
        "ended_at",
        "waiting_since",
        "is_left_out",
        "born_at",
    ),
    defaults=(None, None, -1, -1, *_ATTEMPT_DEFAULTS, *_NONE[:8], -1, *_NONE[:3], 0, None),
    indexed=frozenset({"queued_at", "state", "ended_at", "waiting_since", "is_left_out", "born_at"}),
)
IS_PENDING = "executions.state IN ('QUEUED', 'IN_PROGRESS')"
IS_LEFT_OUT = "executions.is_left_out = 1"
"""The conditions of the partial indexes of executions that a list can change, as in the migrations."""
PENDING_LISTS = Table(
    name="pending_lists",
    key=("thing_name", "namespace_id"),
    others=("listed_at", "entries", "cut_lists"),
    defaults=_NONE[:5],
)
THING_GROUPS = Table(name="thing_groups", key=("thing_group_name", "thing_group_id"))
SUMMARIES = Table(
    name="job_summaries",
    key=("created_at", "job_id"),
    others=("kind", "namespace_id", "listed", "known_groups", "changed_at"),
    defaults=_NONE[:7],
    indexed=frozenset({"kind", "namespace_id"}),
)
GROUP_KEYS = Table(
    name="job_thing_groups",
    key=("thing_group", "kind", "created_at", "job_id"),
    others=("namespace_id",),
    defaults=_NONE[:5],
)
SYNC_RUNS = Table(
    name="sync_runs",
    key=("run_id",),
    others=(
        "run_kind",
        "requested_at",
        "job_id",
        "with_groups",
        "started_at",
        "ended_at",
        "as_of",
        "is_complete",
        "phase",
        "position",
        "done",
        "total",
        "row_count",
        "calls",
        "throttled",
        "differences",
        "problems",
    ),
)
TABLES = (
    JOBS,
    EXECUTIONS,
    PENDING_LISTS,
    THING_GROUPS,
    Table(
        name="rejected_messages",
        key=("rejected_message_id",),
        others=("digest", "rejected_at", "topic", "payload", "reason", "due_at"),
        page_rows=100,  # each up to 128 KiB
    ),
    Table(name="subscriptions", key=("topic_filter",)),
    Table(name="session", key=("the_one",), others=("complete_since",)),
    Table(name="retention", key=("the_one",), others=("horizon",)),
    Table(name="source", key=("the_one",), others=("arn_prefix", "arn_reported_at", "events_since")),
    Table(name="deferred_work", key=("work", "name"), others=("reached", "is_again", "reason")),
    SUMMARIES,
    GROUP_KEYS,
    Table(name="namespace_jobs", key=("namespace_id", "kind"), others=("jobs",)),
    Table(name="namespace_executions", key=("namespace_id", "state"), others=("executions",)),
    Table(name="namespace_activity", key=("namespace_id", "slot"), others=("hour", "changes", "changed_at")),
    Table(
        name="job_changes",
        key=("job_id", "changed_at"),
        others=("status", "former_status", "namespace_id", "is_status_reported", "origin"),
    ),
    SYNC_RUNS,
    Table(name="sync_listed", key=("run_id", "job_id", "thing_name")),
    Table(
        name="sync_differences",
        key=("difference_id",),
        others=("found_at", "run_id", "is_repaired", "difference", "job_id", "thing_name", "was", "now"),
    ),
    Table(name="sync_times", key=("the_one",), others=("filled_at", "reconciled_at")),
    Table(name="thing_group_members", key=("thing_group_name", "thing_name"), others=("run_id",)),
    Table(name="thing_group_lists", key=("thing_group_name",), others=("listed_at",)),
)
"""All tables except those that only replicas share. Derived rows are copied, too, not recomputed."""

TEXTS = frozenset(
    {
        "job_id",
        "thing_name",
        "topic",
        "reason",
        "topic_filter",
        "arn_prefix",
        "listed",
        "known_groups",
        "thing_group",
        "state",
        "details",
        "further",
        "thing_arn",
        "entries",
        "cut_lists",
        "work",
        "name",
        "reached",
        "origin",
        "run_kind",
        "phase",
        "position",
        "problems",
        "difference",
        "was",
        "now",
        *(name for name in REGISTERS if name not in {"is_concurrent", "created_at", "completed_at"}),
    }
)
"""The columns with texts; the others hold integers, except `digest` and `payload` (bytes)."""
