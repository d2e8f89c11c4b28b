"""The index in SQL: the statements of the merge rules, of the readings and of the questions, for every engine.

They are written as SQLite takes them; `postgres/dialect.py` says the same to PostgreSQL. A join is written in the
order in which it is to be done: CROSS JOIN holds SQLite to it.
"""
