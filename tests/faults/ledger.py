"""The ledger: the messages that were sent, acknowledged, and saved before the broker was killed.

An acknowledged message must be in the index if the broker saved it before it was next killed, or has not been killed
since. A message may be there if it was acknowledged and not saved, or sent to a session that the broker was made to
delete.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faults.lives import Message, encode
from jobindex.messages.parsing import Parser
from jobindex.model.reports import JobDeletion

NOW = 1_893_456_000_000
"""A time of arrival in 2030, in milliseconds: no message of the bench is ahead of it."""

Mark = Literal["acknowledged", "saved", "excused"]


@dataclass(slots=True, kw_only=True)
class Sent:
    """A message, its number and its fate."""

    number: int
    job_id: str
    topic: str
    payload: bytes
    acknowledged: int | None = None
    """The number of the publisher's connection on which it was acknowledged."""
    saved: bool = False
    excused: bool = False


class Ledger:
    """All messages of a run, in memory and in a file; thread-safe."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("wb")
        self._messages: list[Sent] = []
        self._first: dict[str, int] = {}
        self._deleted_at: dict[str, float] = {}
        self.connections = 0
        """The number of the publisher's connections that the broker has accepted."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def connect(self) -> None:
        """Record a new connection to the broker, which may have been restarted."""
        with self._lock:
            self.connections += 1

    def deleted_at(self) -> Mapping[str, float]:
        """Return the time of each sent deletion, in seconds, by job."""
        return self._deleted_at

    def send(self, job_id: str, message: Message) -> Sent:
        """Number a message that is about to be sent."""
        topic, content = message
        with self._lock:
            number = len(self._messages)
            sent = Sent(number=number, job_id=job_id, topic=topic, payload=encode(content, number))
            self._messages.append(sent)
            self._first.setdefault(job_id, number)
            if topic.endswith("/deleted"):
                reports = Parser().parse_message(topic, sent.payload, NOW)
                [deletion] = (one for one in reports if isinstance(one, JobDeletion))
                self._deleted_at[job_id] = deletion.time / 1000
            self._write("sent", number, sent.topic.encode() + b" " + sent.payload)
        return sent

    def acknowledge(self, sent: Sent) -> None:
        """Record the acknowledgement of a message."""
        with self._lock:
            sent.acknowledged = self.connections
            self._write("acknowledged", sent.number)

    def acknowledged(self) -> list[Sent]:
        """Return the messages that are acknowledged and not saved."""
        with self._lock:
            return [sent for sent in self._messages if sent.acknowledged == self.connections and not sent.saved]

    def number(self, job_id: str) -> int | None:
        """Return the number of a job's first message. None if none has been sent yet."""
        with self._lock:
            return self._first.get(job_id)

    def save(self, messages: Iterable[Sent]) -> None:
        """Record that the broker has saved messages."""
        with self._lock:
            for sent in messages:
                sent.saved = True
                self._write("saved", sent.number)

    def excuse(self, first: int, last: int) -> None:
        """Record that the broker deleted the session somewhere between two messages."""
        with self._lock:
            for sent in self._messages[first : last + 1]:
                sent.excused = True
                self._write("excused", sent.number)

    def must_be_there(self, sent: Sent) -> bool:
        """Return whether the index has lost something if it lacks this message."""
        return not sent.excused and (sent.saved or sent.acknowledged == self.connections)

    def by_job(self) -> dict[str, list[Sent]]:
        """Return the messages of each job, in the order of sending."""
        jobs: dict[str, list[Sent]] = {}
        with self._lock:
            for sent in self._messages:
                jobs.setdefault(sent.job_id, []).append(sent)
        return jobs

    def counts(self) -> Counter[str]:
        """Return how many messages were sent, acknowledged, saved, excused, and must be there."""
        with self._lock:
            return Counter(
                {
                    "sent": len(self._messages),
                    "acknowledged": sum(sent.acknowledged is not None for sent in self._messages),
                    "saved": sum(sent.saved for sent in self._messages),
                    "excused": sum(sent.excused for sent in self._messages),
                    "must be there": sum(self.must_be_there(sent) for sent in self._messages),
                }
            )

    def _write(self, what: Mark | Literal["sent"], number: int, rest: bytes = b"") -> None:
        self._file.write(f"{what} {number} ".encode() + rest + b"\n")
        self._file.flush()
