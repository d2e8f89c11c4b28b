"""The HTTP API: operations, errors and admission."""
