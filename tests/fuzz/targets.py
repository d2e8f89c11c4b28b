"""The targets by name."""

from collections.abc import Mapping

from fuzz import authorization, batches, keys, payloads, queries, settings, tokens, topics, wires
from fuzz.engine import Open

TARGETS: Mapping[str, Open] = {
    "topics": topics.opened,
    "payloads": payloads.opened,
    "batches": batches.opened,
    "tokens": tokens.opened,
    "queries": queries.opened,
    "wires": wires.opened,
    "authorization": authorization.opened,
    "keys": keys.opened,
    "settings": settings.opened,
}
