"""The numbered SQL files that create and migrate the schema of each engine.

A released file is never edited. Each is applied in one transaction with its record.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A step from one schema to the next."""

    number: int
    name: str
    sql: str


def load_migrations(engine: str) -> tuple[Migration, ...]:
    """Return the migrations of an engine in numerical order."""
    installed = files("jobindex") / "_migrations"
    folder = installed if installed.is_dir() else Path(__file__).parent.parent.parent / "migrations"
    return tuple(
        Migration(number=int(match[1]), name=match[2], sql=file.read_text("utf-8"))
        for file in sorted((folder / engine).iterdir(), key=lambda file: file.name)
        if (match := _FILE_NAME.fullmatch(file.name))
    )
