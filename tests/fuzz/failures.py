"""The log of failures."""

import logging


class Failures(logging.Handler):
    """Collects the logged errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Store a message with its traceback."""
        self.records.append(self.format(record))
