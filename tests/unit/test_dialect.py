"""Statements for SQLite are translated for PostgreSQL."""

import pytest

from jobindex.storage.postgres.dialect import translated

ROWS = (
    "LATERAL (SELECT element AS value FROM jsonb_array_elements(CAST(%(rows)s AS jsonb)) AS elements(element)) AS one"
)
BRACKETED = "'[' || told || ']'"
EACH = """LATERAL (SELECT element COLLATE "C" AS value FROM {array} AS elements(element)) AS {alias}"""


def each(array: str, alias: str = "one") -> str:
    """Return PostgreSQL's expression for the elements of an array of texts."""
    return EACH.format(array=f"jsonb_array_elements_text(CAST({array} AS jsonb))", alias=alias)


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("SELECT a FROM t WHERE b = :b AND c < :c_1", "SELECT a FROM t WHERE b = %(b)s AND c < %(c_1)s"),
        ("SELECT ':b % ''x'' max(a, b)' || a % 3", "SELECT ':b %% ''x'' max(a, b)' || a %% 3"),
        ("INSERT OR IGNORE INTO t (a) SELECT 1", "INSERT INTO t (a) SELECT 1 ON CONFLICT DO NOTHING"),
        ("\n    INSERT OR IGNORE INTO t (a) SELECT 1\n", "INSERT INTO t (a) SELECT 1\n ON CONFLICT DO NOTHING"),
        ("SELECT max(a), max(a, min(b, c)), min(d)", "SELECT max(a), GREATEST(a, LEAST(b, c)), min(d)"),
        ("CAST(a AS INTEGER) + CAST(b AS TEXT)", "CAST(a AS BIGINT) + CAST(b AS TEXT)"),
        ("length(CAST(a AS BLOB))", "length(convert_to(a, 'UTF8'))"),
        ("FROM (SELECT a FROM t LIMIT -1) AS s", "FROM (SELECT a FROM t OFFSET 0) AS s"),
        ("FROM t INDEXED BY t_by_a WHERE a = 1", "FROM t WHERE a = 1"),
        ("FROM a CROSS JOIN b ON x = y CROSS JOIN c USING (x)", "FROM a JOIN b ON x = y JOIN c USING (x)"),
        ("FROM a CROSS JOIN b CROSS JOIN c ON x = y", "FROM a CROSS JOIN b JOIN c ON x = y"),
        ("FROM a CROSS JOIN (SELECT 1 FROM b JOIN c ON x = y) AS d WHERE e", None),
        ("(SELECT 1 FROM a CROSS JOIN b) JOIN c ON x = y", None),
        ("IN (SELECT value FROM json_each(:seen))", f"IN (SELECT value FROM {each('%(seen)s')})"),
        (
            "FROM json_each('[' || told || ']') AS known CROSS JOIN json_each(other) AS more WHERE a",
            f"FROM {each(BRACKETED, 'known')} CROSS JOIN {each('other', 'more')} WHERE a",
        ),
        (
            "SELECT json_extract(value, '$[0]'), CAST(json_extract(value, '$[12]') AS INTEGER) FROM json_each(:rows)",
            f"SELECT (value ->> 0), CAST((value ->> 12) AS BIGINT) FROM {ROWS}",
        ),
    ],
)
def test_what_is_said_otherwise(sqlite: str, postgres: str | None) -> None:
    """Each difference is translated, and common syntax stays unchanged."""
    assert (postgres or sqlite) == translated(sqlite)


def test_jobs_are_joined_newest_first() -> None:
    """The jobs of a page have the order of the list, independent of the query plan."""
    expected = "SELECT convert_to(string_agg(listed, ',' ORDER BY created_at DESC, job_id DESC), 'UTF8')"
    assert expected == translated("SELECT CAST(group_concat(listed) AS BLOB)")


def test_what_is_not_closed_is_an_error() -> None:
    """A statement with an open parenthesis is not translated."""
    with pytest.raises(ValueError, match="not closed"):
        translated("SELECT max(a, b")
