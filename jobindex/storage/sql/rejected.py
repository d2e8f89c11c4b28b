"""The SQL of rejected messages."""

from hashlib import sha256

from jobindex.model.jobs import from_milliseconds
from jobindex.model.reports import RejectedMessage
from jobindex.model.store import RejectedSummary, StoredMessage
from jobindex.storage.sql.connection import Row

KEEP_REJECTED = """
INSERT OR IGNORE INTO rejected_messages (rejected_message_id, digest, rejected_at, topic, payload, reason, due_at)
SELECT coalesce(max(rejected_message_id), 0) + 1, :digest, :now, :topic, :payload, :reason, :due_at
FROM rejected_messages
"""

# Deletes all but the newest messages, up to a number and a size in bytes.
DISCARD_REJECTED = """
DELETE FROM rejected_messages
WHERE rejected_message_id IN (
    SELECT rejected_message_id
    FROM (
        SELECT
            rejected_message_id,
            row_number() OVER newest_first AS messages,
            sum(length(payload) + length(CAST(topic AS BLOB))) OVER newest_first AS bytes
        FROM rejected_messages
        WINDOW newest_first AS (ORDER BY rejected_message_id DESC)
    ) AS kept
    WHERE messages > :max_messages
    OR bytes > :max_bytes
)
"""

# The messages whose times are no longer too far ahead.
DUE_REJECTED = """
SELECT rejected_message_id
FROM rejected_messages
WHERE due_at <= :now
ORDER BY due_at
LIMIT :limit
"""

# AWS's topics have at most 256 bytes, MQTT's 65,535: a list of a thousand stays bounded.
LIST_REJECTED = """
SELECT
    rejected_message_id,
    rejected_at,
    substr(topic, 1, 1024) AS topic,
    reason,
    length(payload) AS payload_bytes,
    due_at
FROM rejected_messages
WHERE rejected_message_id > :after
ORDER BY rejected_message_id
LIMIT :limit
"""

MEASURE_REJECTED = """
SELECT length(payload)
FROM rejected_messages
WHERE rejected_message_id IN (SELECT CAST(value AS INTEGER) FROM json_each(:ids))
"""

READ_REJECTED = """
SELECT rejected_message_id, rejected_at, topic, reason, payload, due_at
FROM rejected_messages
WHERE rejected_message_id IN (SELECT CAST(value AS INTEGER) FROM json_each(:ids))
ORDER BY rejected_message_id
"""

REJECT_AGAIN = """
UPDATE rejected_messages
SET reason = :reason, due_at = :due_at
WHERE rejected_message_id = :id
"""

DELETE_REJECTED = """
DELETE FROM rejected_messages
WHERE rejected_message_id IN (SELECT CAST(value AS INTEGER) FROM json_each(:ids))
"""

DELETE_ALL_REJECTED = "DELETE FROM rejected_messages"


def rejected_row(message: RejectedMessage, now: int) -> dict[str, object]:
    """Return the parameters of KEEP_REJECTED; the digest detects a duplicate."""
    return {
        "digest": sha256(message.topic.encode() + b"\0" + message.payload).digest(),
        "now": now,
        "topic": message.topic,
        "payload": message.payload,
        "reason": message.reason,
        "due_at": message.due_at,
    }


def rejected_summary(row: Row) -> RejectedSummary:
    """Return the message in a row of LIST_REJECTED."""
    return RejectedSummary(
        id=row["rejected_message_id"],
        rejected_at=from_milliseconds(row["rejected_at"]),
        topic=row["topic"],
        reason=row["reason"],
        payload_bytes=row["payload_bytes"],
        due_at=None if row["due_at"] is None else from_milliseconds(row["due_at"]),
    )


def stored_message(row: Row) -> StoredMessage:
    """Return the message in a row of READ_REJECTED."""
    return StoredMessage(
        id=row["rejected_message_id"],
        rejected_at=from_milliseconds(row["rejected_at"]),
        message=RejectedMessage(row["topic"], row["payload"], row["reason"], row["due_at"]),
    )
