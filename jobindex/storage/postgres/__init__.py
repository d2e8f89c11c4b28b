"""The index in PostgreSQL, or in what speaks its protocol."""
