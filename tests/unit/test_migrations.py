"""Migration files: their discovery and their order."""

from pathlib import Path

import pytest

import jobindex.storage.migrations
from jobindex.storage.migrations import Migration, load_migrations


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    """The migrations of SQLite are sorted by number, from 1 on."""
    migrations = load_migrations("sqlite")
    assert [1, *range(2, len(migrations) + 1)] == [migration.number for migration in migrations]
    assert all(migration.sql.strip() for migration in migrations)


def test_an_installed_package_uses_the_files_it_carries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files inside the package win over the checkout's; only names of the form NNNN_words.sql count."""
    folder = tmp_path / "_migrations" / "sqlite"
    folder.mkdir(parents=True)
    for name, sql in {
        "0010_later.sql": "SELECT 10;",
        "0002_second_step.sql": "SELECT 'zwölf';",
        "0001_first.sql": "SELECT 1;",
        "README.md": "no migration",
        "0003_step.sql.orig": "no migration",
        "003_step.sql": "no migration",
    }.items():
        (folder / name).write_text(sql, "utf-8")
    monkeypatch.setattr(jobindex.storage.migrations, "files", lambda _package: tmp_path)
    expected = (
        Migration(number=1, name="first", sql="SELECT 1;"),
        Migration(number=2, name="second_step", sql="SELECT 'zwölf';"),
        Migration(number=10, name="later", sql="SELECT 10;"),
    )
    assert expected == load_migrations("sqlite")


def test_a_checkout_uses_the_files_beside_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package without migrations uses the folder `migrations` beside it."""
    package, folder = tmp_path / "jobindex", tmp_path / "migrations" / "sqlite"
    package.mkdir()
    folder.mkdir(parents=True)
    (folder / "0001_first.sql").write_text("SELECT 1;", "utf-8")
    monkeypatch.setattr(jobindex.storage.migrations, "files", lambda _package: package)
    monkeypatch.setattr(jobindex.storage.migrations, "__file__", str(package / "storage" / "migrations.py"))
    assert (Migration(number=1, name="first", sql="SELECT 1;"),) == load_migrations("sqlite")


def test_an_engine_without_migrations_is_an_error() -> None:
    """A missing folder of migrations is not taken for an empty one."""
    with pytest.raises(FileNotFoundError):
        load_migrations("oracle")
