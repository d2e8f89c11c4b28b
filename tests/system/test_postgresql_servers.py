"""The PostgreSQL servers of the tests: commits survive kills, and no process or file is left behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.postgresql_servers import Pair, Server, execute, locked, pair, server
from support.waiting import wait_until


def test_a_database_is_empty_and_writable(postgres_url: str) -> None:
    """A test has a database of its own."""
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert [(0,)] == execute(postgres_url, tables)
    execute(postgres_url, "CREATE TABLE jobs (job_id TEXT)")
    assert [(1,)] == execute(postgres_url, tables)


def test_text_does_not_sort_by_its_bytes(postgres_url: str) -> None:
    """Text sorts by locale, as in production, so a statement that silently relies on byte order fails."""
    assert [("a",), ("B",)] == execute(postgres_url, "SELECT * FROM (VALUES ('B'), ('a')) AS job (id) ORDER BY id")


def test_a_killed_server_keeps_what_it_committed() -> None:
    """A kill ends all processes; after a restart the rows are there, and the files are deleted at the end."""
    with server() as one:
        one.execute("CREATE TABLE jobs AS SELECT generate_series(1, 1000) AS number")
        files = one._data.parent
        one.kill()
        assert not one.is_alive()
        assert [] == _processes_of(files)
        one.start()
        assert [(1000,)] == one.execute("SELECT count(*) FROM jobs")
    assert [] == _processes_of(files)
    assert not files.exists()


def test_a_frozen_server_goes_on() -> None:
    """A frozen server answers nothing; a statement sent meanwhile is answered afterwards."""
    with server() as one, ThreadPoolExecutor() as pool:
        assert one.answers()
        with one.frozen():
            assert not one.answers()
            asked = pool.submit(one.execute, "SELECT 1")
        assert [(1,)] == asked.result(10)


def test_locked_tables_take_no_writes(postgres_url: str) -> None:
    """Writers wait and readers do not; a database without tables cannot be locked."""
    with locked(postgres_url) as is_locked:
        assert not is_locked
    execute(postgres_url, "CREATE TABLE jobs (number INTEGER)")
    with ThreadPoolExecutor() as pool:
        with locked(postgres_url) as is_locked:
            assert is_locked
            insert = pool.submit(execute, postgres_url, "INSERT INTO jobs VALUES (1)")
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            wait_until(lambda: execute(postgres_url, waiting) == [(1,)], "the insert to wait")
            assert [(0,)] == execute(postgres_url, "SELECT count(*) FROM jobs")
        insert.result(10)
    assert [(1,)] == execute(postgres_url, "SELECT count(*) FROM jobs")


def test_a_pair_keeps_what_it_committed() -> None:
    """Rows survive two failovers, and the URL leads to the current primary."""
    with pair() as both:
        execute(both.url, "CREATE TABLE jobs (number INTEGER)")
        for number in range(2):
            killed = both.primary
            execute(both.url, f"INSERT INTO jobs VALUES ({number})")
            _fail_over(both)
            assert killed is both.standby
            assert [(before,) for before in range(number + 1)] == execute(
                both.url, "SELECT * FROM jobs ORDER BY number"
            )
        assert [(2,)] == _on(both.standby, "SELECT count(*) FROM jobs")


def test_a_commit_waits_for_the_standby() -> None:
    """A primary without its standby confirms no commit, because a second kill would lose it."""
    with pair() as both, ThreadPoolExecutor() as pool:
        execute(both.url, "CREATE TABLE jobs (number INTEGER)")
        both.standby.kill()
        insert = pool.submit(execute, both.url, "INSERT INTO jobs VALUES (1)")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait_until(lambda: both.primary.execute(waiting) == [(1,)], "the commit to wait")
        assert not insert.done()
        both.rebuild()
        insert.result(10)


def _fail_over(both: Pair) -> None:
    both.kill_primary()
    both.promote()
    both.rebuild()


def _on(one: Server, statement: str) -> object:
    return execute(one.url("jobindex"), statement)


def _processes_of(files: Path) -> list[str]:
    """Return the command lines of the processes that run in a directory."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cwd").readlink().is_relative_to(files):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found
