"""What is logged of failures."""

import logging


class Failures(logging.Handler):
    """Keeps it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message, with the traceback that it has."""
        self.records.append(self.format(record))
