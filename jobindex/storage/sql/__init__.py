"""The index in SQL, for every engine.

Statements are written for SQLite; `postgres/dialect.py` translates them. CROSS JOIN fixes SQLite's order of joins.
"""
