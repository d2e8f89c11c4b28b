"""Keys files: parsing raises only KeysError, which reveals no secret; a written file is parsed the same."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from fuzz import documents
from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.access.keys import encode_keys, parse_keys
from jobindex.errors import KeysError

_SECRET = "s3cr3t-" + "k" * 20
_FILE: Any = {
    "keys": [
        {
            "name": "sdk",
            "role": "read",
            "namespaces": ["acme", "next-acme"],
            "createdAt": "2026-11-24T12:00:00Z",
            "accessKeyId": "AKIDEXAMPLEEXAMPLE",
            "secretAccessKey": _SECRET,
        },
        {"name": "ops", "role": "operate", "createdAt": "2026-11-24T13:00:00+01:00", "tokenSha256": "0f" * 32},
    ]
}
_NAMES = ("keys", *_FILE["keys"][0], "tokenSha256", "unknown", "")


@contextmanager
def opened() -> Iterator[Target[bytes]]:
    """Open the target."""
    yield Target(make=make, check=check)


def make(source: Source) -> bytes:
    """Make the content of a keys file."""
    return documents.encoded(source, documents.broken(source, _FILE, _NAMES), maximum=10_000)


def check(content: bytes) -> None:
    """Check that content is parsed, or refused without revealing a secret."""
    try:
        keys = parse_keys(content)
    except KeysError as error:
        expect(that="s3cr3t" not in str(error) or _is_misplaced(content), of=str(error))
        return
    expect(that=keys.all == parse_keys(encode_keys(keys)).all, of=encode_keys(keys))
    for key in keys.all:
        expect(that=(key.access_key is None) != (key.token_sha256 is None), of=key)
        expect(that=key.principal.namespace_ids != frozenset(), of=key)
        expect(that=key.created_at.tzinfo is UTC and key.created_at > datetime.min.replace(tzinfo=UTC), of=key)


def _is_misplaced(content: bytes) -> bool:
    """Return whether the secret is in the place of a name, which the error quotes."""
    keys = [key for key in json.loads(content)["keys"] if isinstance(key, dict)]
    return "s3cr3t" in repr([(*key, key.get("name"), key.get("namespaces")) for key in keys])
