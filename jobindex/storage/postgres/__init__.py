"""The index in PostgreSQL, or in a database that speaks its protocol."""
