"""The tables of an index, the same in every engine, as a copy reads and writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

Value = str | int | bytes | None
Values = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, of which rows are read in the order of its key, a page at a time."""

    name: str
    key: tuple[str, ...]
    others: tuple[str, ...] = ()
    """The columns that are not of the key."""
    page_rows: int = 5000
    """Rows that are read at once, and written in one short transaction."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, those of the key first."""
        return self.key + self.others

    def key_of(self, row: Values) -> Values:
        """Return the key of a row."""
        return row[: len(self.key)]

    def page(self, after: Values) -> tuple[str, Mapping[str, Value]]:
        """Return the statement that reads a page behind a key, of the first for (), and its parameters."""
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


def _registers(*names: str) -> tuple[str, ...]:
    return tuple(column for name in names for column in (name, f"{name}_stamp"))


TABLES = (
    Table(
        name="jobs",
        key=("job_id",),
        others=(
            *_registers(
                "namespace_id",
                "status",
                "target_selection",
                "thing_group_id",
                "thing_group_name",
                "target_group_names",
                "is_concurrent",
                "created_at",
                "completed_at",
                "job_arn",
            ),
            "earliest_at",
            "latest_at",
            "born_at",
            "deleted_at",
            "arrived_at",
            "told_since",
            "listed_created_at",
        ),
    ),
    Table(
        name="executions",
        key=("job_id", "thing_name"),
        others=(
            "status",
            "status_at",
            "execution_number",
            "version_number",
            "status_rank",
            "pending_at",
            "has_ended",
            "ended_at",
            "queued_at",
            "started_at",
            "waiting_since",
        ),
    ),
    Table(name="pending_lists", key=("thing_name", "namespace_id"), others=("listed_at",)),
    Table(name="thing_groups", key=("thing_group_name", "thing_group_id")),
    Table(
        name="rejected_messages",
        key=("rejected_message_id",),
        others=("digest", "rejected_at", "topic", "payload", "reason"),
        page_rows=100,  # each up to 128 KiB
    ),
    Table(name="subscriptions", key=("topic_filter",)),
    Table(name="session", key=("the_one",), others=("complete_since",)),
    Table(name="retention", key=("the_one",), others=("horizon",)),
    Table(
        name="job_summaries",
        key=("created_at", "job_id"),
        others=("kind", "namespace_id", "listed", "told_groups", "changed_at"),
    ),
    Table(name="job_thing_groups", key=("thing_group", "kind", "created_at", "job_id"), others=("namespace_id",)),
    Table(name="namespace_jobs", key=("namespace_id", "kind"), others=("jobs",)),
    Table(name="namespace_executions", key=("namespace_id", "state"), others=("executions",)),
    Table(name="namespace_activity", key=("namespace_id", "slot"), others=("hour", "changes", "changed_at")),
    Table(
        name="job_changes",
        key=("job_id", "changed_at"),
        others=("status", "former_status", "namespace_id", "is_status_reported"),
    ),
)
"""All but what replicas have among themselves. Registers and readings are both copied: nothing is read again."""
