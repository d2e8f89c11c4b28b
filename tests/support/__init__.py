"""Helpers that test modules share: servers, clients, messages, a simulated AWS IoT."""
