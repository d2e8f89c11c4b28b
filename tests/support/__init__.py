"""Helpers that several test modules share: servers, clients, messages, and an oracle of the merge rules."""
