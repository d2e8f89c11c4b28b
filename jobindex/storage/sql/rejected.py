"""The messages that could not be understood, in SQL: listed, read, and kept no longer."""

from jobindex.model.jobs import RejectedMessage, from_milliseconds
from jobindex.model.store import KeptMessage, RejectedSummary
from jobindex.storage.sql.connection import Row

LIST_REJECTED = """
SELECT rejected_message_id, rejected_at, topic, reason, length(payload) AS payload_bytes
FROM rejected_messages
WHERE rejected_message_id > :after
ORDER BY rejected_message_id
LIMIT :limit
"""

READ_REJECTED = """
SELECT rejected_message_id, rejected_at, topic, reason, payload
FROM rejected_messages
WHERE rejected_message_id IN (SELECT CAST(value AS INTEGER) FROM json_each(:ids))
ORDER BY rejected_message_id
"""

REJECT_AGAIN = """
UPDATE rejected_messages
SET reason = :reason
WHERE rejected_message_id = :id
"""

FORGET_REJECTED = """
DELETE FROM rejected_messages
WHERE rejected_message_id IN (SELECT CAST(value AS INTEGER) FROM json_each(:ids))
"""

FORGET_ALL_REJECTED = "DELETE FROM rejected_messages"


def rejected_summary(row: Row) -> RejectedSummary:
    """Return the message in a row of LIST_REJECTED."""
    return RejectedSummary(
        id=row["rejected_message_id"],
        rejected_at=from_milliseconds(row["rejected_at"]),
        topic=row["topic"],
        reason=row["reason"],
        payload_bytes=row["payload_bytes"],
    )


def kept_message(row: Row) -> KeptMessage:
    """Return the message in a row of READ_REJECTED."""
    return KeptMessage(
        id=row["rejected_message_id"],
        rejected_at=from_milliseconds(row["rejected_at"]),
        message=RejectedMessage(topic=row["topic"], payload=row["payload"], reason=row["reason"]),
    )
