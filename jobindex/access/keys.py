"""Keys: by which credentials who may ask.

A key has either an access key, with which SDKs sign, or a token, which is sent as it is. Of a token only the SHA-256
is kept: it is 256 random bits, so nobody finds it by trying, and a slow hash would only make each request slow. The
secret of an access key is kept as it is, as whoever verifies a signature must be able to make it. A keys file is
JSON; `jobindex keys` writes it, and so may people:

    {"keys": [{"name": "sdk", "role": "read", "namespaces": ["acme"], "createdAt": "2026-11-24T12:00:00Z",
               "accessKeyId": "…", "secretAccessKey": "…"},
              {"name": "ops", "role": "operate", "createdAt": "2026-11-24T12:00:00Z", "tokenSha256": "…"}]}
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

import orjson

from jobindex.access.principals import Principal, Role
from jobindex.errors import KeysError
from jobindex.model.parameters import NAMESPACE_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """What SDKs sign with."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as a keys file has it."""

    principal: Principal
    created_at: datetime
    access_key: AccessKey | None = None
    token_sha256: str | None = None
    """Of a key without an access key; in hexadecimal digits."""


class Keys:
    """The keys that are in force, by their credentials."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.all = tuple(keys)
        self.secrets = {key.access_key.id: key.access_key.secret for key in self.all if key.access_key}
        """The secrets of access keys by their ids."""
        self._by_access_key = {key.access_key.id: key for key in self.all if key.access_key}
        self._by_token = {key.token_sha256: key for key in self.all if key.token_sha256}

    def of_access_key(self, access_key_id: str) -> Key | None:
        """Return the key that has an access key; None where it is not known."""
        return self._by_access_key.get(access_key_id)

    def of_token(self, token: str) -> Key | None:
        """Return the key that has a token; None where it is not known."""
        return self._by_token.get(digest(token))


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


NAME = re.compile(r"[a-zA-Z0-9_.@-]{1,64}")
_MEMBERS = {"name", "role", "namespaces", "createdAt", "accessKeyId", "secretAccessKey", "tokenSha256"}


def parse_keys(text: bytes) -> Keys:
    """Return the keys in the content of a keys file.

    Raises:
        KeysError: something in it cannot be; a line for each, none of which holds a secret.
    """
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise KeysError([f"is no JSON: {error}"]) from error
    if not isinstance(whole, dict) or set(whole) != {"keys"} or not isinstance(whole["keys"], list):
        raise KeysError(['is not {"keys": […]}'])
    problems: list[str] = []
    keys = [key for number, told in enumerate(whole["keys"], 1) if (key := _read(told, number, problems))]
    for what, values in (
        ("name", [key.principal.name for key in keys]),
        ("accessKeyId", [key.access_key.id for key in keys if key.access_key]),
        ("tokenSha256", [key.token_sha256 for key in keys if key.token_sha256]),
    ):
        problems += [f"{what} {value!r} is there twice" for value in _twice(values)]
    if problems:
        raise KeysError(problems)
    return Keys(keys)


def encode_keys(keys: Keys) -> bytes:
    """Return the content of a keys file."""
    return orjson.dumps({"keys": [_encode(key) for key in keys.all]}, option=orjson.OPT_INDENT_2) + b"\n"


def _encode(key: Key) -> Mapping[str, object]:
    principal = key.principal
    told: dict[str, object] = {"name": principal.name, "role": principal.role}
    if principal.namespace_ids is not None:
        told["namespaces"] = sorted(principal.namespace_ids)
    told["createdAt"] = key.created_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    if key.access_key is None:
        return {**told, "tokenSha256": key.token_sha256}
    return {**told, "accessKeyId": key.access_key.id, "secretAccessKey": key.access_key.secret}


def _read(told: object, number: int, problems: list[str]) -> Key | None:
    if not isinstance(told, dict):
        problems.append(f"key {number} is no object")
        return None
    found = list(_problems(told))
    if found:
        name = told.get("name")
        which = f"key {name!r}" if isinstance(name, str) and NAME.fullmatch(name) else f"key {number}"
        problems += [f"{which}: {problem}" for problem in found]
        return None
    namespaces = told.get("namespaces")
    return Key(
        principal=Principal(
            name=told["name"],
            role=Role(told["role"]),
            namespace_ids=None if namespaces is None else frozenset(namespaces),
        ),
        # Whole seconds, as it is written again: the key stays the same.
        created_at=datetime.fromisoformat(told["createdAt"]).astimezone(UTC).replace(microsecond=0),
        access_key=AccessKey(id=told["accessKeyId"], secret=told["secretAccessKey"]) if "accessKeyId" in told else None,
        token_sha256=told.get("tokenSha256"),
    )


def _problems(told: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(set(told) - _MEMBERS):
        yield f"has no member {name!r}"
    for name, pattern, expected in (
        ("name", NAME.pattern, "1 to 64 letters, digits or _.@-"),
        ("role", "|".join(Role), f"one of {', '.join(Role)}"),
    ):
        if not _matches(told.get(name), pattern):
            yield f"{name} is not {expected}"
    if not _is_time(told.get("createdAt")):
        yield "createdAt is no time with a zone, such as 2026-11-24T12:00:00Z"
    namespaces = told.get("namespaces", ["any"])
    if not isinstance(namespaces, list) or not namespaces:
        yield "namespaces is no list with something in it"
    else:
        for namespace in namespaces:
            if not _matches(namespace, str(NAMESPACE_ID.pattern)):
                yield f"namespaces holds {namespace!r}, which is no namespace"
        if "namespaces" in told and told.get("role") == Role.OPERATE:
            yield "the rejected messages are of no namespace: who operates cannot be limited to some"
    yield from _credential_problems(told)


def _credential_problems(told: Mapping[str, object]) -> Iterator[str]:
    given = [name for name in ("accessKeyId", "secretAccessKey", "tokenSha256") if name in told]
    if given not in (["accessKeyId", "secretAccessKey"], ["tokenSha256"]):
        yield "has neither accessKeyId with secretAccessKey nor tokenSha256 alone"
        return
    # What stands in a header, and a secret that can be told from a slip.
    for name, pattern, expected in (
        ("accessKeyId", r"[A-Za-z0-9_]{16,128}", "16 to 128 letters, digits or _"),
        ("secretAccessKey", r"[!-~]{20,256}", "20 to 256 printable ASCII characters"),
        ("tokenSha256", "[0-9a-f]{64}", "64 hexadecimal digits in lower case"),
    ):
        if name in told and not _matches(told[name], pattern):
            yield f"{name} is not {expected}"


def _matches(value: object, pattern: str) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_time(value: object) -> bool:
    try:
        time = datetime.fromisoformat(str(value))
        return time.tzinfo is not None and time.astimezone(UTC).year > 0
    except (ValueError, OverflowError):
        return False


def _twice(values: Sequence[str]) -> Sequence[str]:
    return [value for value in dict.fromkeys(values) if values.count(value) > 1]
