"""Keys: credentials with a role and the visible namespaces.

A key has either an access key, with which SDKs sign, or a token, which clients send unchanged. Only the SHA-256 of a
token is stored: it has 256 random bits, so it cannot be guessed, and a slow hash would only slow down requests. The
secret of an access key is in plain text, because the verification of a signature needs it. `jobindex keys` writes a
keys file, which people may edit:

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
    """The credentials with which SDKs sign."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key in a keys file."""

    principal: Principal
    created_at: datetime
    access_key: AccessKey | None = None
    token_sha256: str | None = None
    """In hexadecimal digits; None with an access key."""


class Keys:
    """The current keys."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.all = tuple(keys)
        self.secrets = {key.access_key.id: key.access_key.secret for key in self.all if key.access_key}
        """The secrets of access keys by their ids."""
        self._by_access_key = {key.access_key.id: key for key in self.all if key.access_key}
        self._by_token = {key.token_sha256: key for key in self.all if key.token_sha256}

    def of_access_key(self, access_key_id: str) -> Key | None:
        """Return the key with an access key id."""
        return self._by_access_key.get(access_key_id)

    def of_token(self, token: str) -> Key | None:
        """Return the key with a token."""
        return self._by_token.get(digest(token))


def digest(token: str) -> str:
    """Return the stored hash of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


NAME = re.compile(r"[a-zA-Z0-9_.@-]{1,64}")
_MEMBERS = {"name", "role", "namespaces", "createdAt", "accessKeyId", "secretAccessKey", "tokenSha256"}


def parse_keys(text: bytes) -> Keys:
    """Return the keys in the content of a file.

    Raises:
        KeysError: the content is invalid; a line for each problem, none with a secret.
    """
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise KeysError([f"is not JSON: {error}"]) from error
    if not isinstance(whole, dict) or set(whole) != {"keys"} or not isinstance(whole["keys"], list):
        raise KeysError(['is not {"keys": […]}'])
    problems: list[str] = []
    keys = [key for number, members in enumerate(whole["keys"], 1) if (key := _read(members, number, problems))]
    for member, values in (
        ("name", [key.principal.name for key in keys]),
        ("accessKeyId", [key.access_key.id for key in keys if key.access_key]),
        ("tokenSha256", [key.token_sha256 for key in keys if key.token_sha256]),
    ):
        problems += [f"{member} {value!r} occurs twice" for value in _twice(values)]
    if problems:
        raise KeysError(problems)
    return Keys(keys)


def encode_keys(keys: Keys) -> bytes:
    """Return the content of a keys file."""
    return orjson.dumps({"keys": [_encode(key) for key in keys.all]}, option=orjson.OPT_INDENT_2) + b"\n"


def _encode(key: Key) -> Mapping[str, object]:
    principal = key.principal
    members: dict[str, object] = {"name": principal.name, "role": principal.role}
    if principal.namespace_ids is not None:
        members["namespaces"] = sorted(principal.namespace_ids)
    members["createdAt"] = key.created_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    if key.access_key is None:
        return {**members, "tokenSha256": key.token_sha256}
    return {**members, "accessKeyId": key.access_key.id, "secretAccessKey": key.access_key.secret}


def _read(members: object, number: int, problems: list[str]) -> Key | None:
    if not isinstance(members, dict):
        problems.append(f"key {number} is not an object")
        return None
    found = list(_problems(members))
    if found:
        name = members.get("name")
        which = f"key {name!r}" if isinstance(name, str) and NAME.fullmatch(name) else f"key {number}"
        problems += [f"{which}: {problem}" for problem in found]
        return None
    namespaces = members.get("namespaces")
    return Key(
        principal=Principal(
            name=members["name"],
            role=Role(members["role"]),
            namespace_ids=None if namespaces is None else frozenset(namespaces),
        ),
        # Whole seconds, as `_encode` writes them, so that the key stays equal.
        created_at=datetime.fromisoformat(members["createdAt"]).astimezone(UTC).replace(microsecond=0),
        access_key=(
            AccessKey(id=members["accessKeyId"], secret=members["secretAccessKey"])
            if "accessKeyId" in members
            else None
        ),
        token_sha256=members.get("tokenSha256"),
    )


def _problems(members: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(set(members) - _MEMBERS):
        yield f"unknown member {name!r}"
    for name, pattern, expected in (
        ("name", NAME.pattern, "1 to 64 letters, digits or _.@-"),
        ("role", "|".join(Role), f"one of {', '.join(Role)}"),
    ):
        if not _matches(members.get(name), pattern):
            yield f"{name} is not {expected}"
    if not _is_time(members.get("createdAt")):
        yield "createdAt is not a time with a zone, such as 2026-11-24T12:00:00Z"
    namespaces = members.get("namespaces", ["any"])
    if not isinstance(namespaces, list) or not namespaces:
        yield "namespaces is not a list, or is empty"
    else:
        for namespace in namespaces:
            if not _matches(namespace, str(NAMESPACE_ID.pattern)):
                yield f"namespaces contains {namespace!r}, which is not a namespace"
        if "namespaces" in members and members.get("role") == Role.OPERATE:
            yield "the role operate cannot be limited to namespaces: rejected messages have none"
    yield from _credential_problems(members)


def _credential_problems(members: Mapping[str, object]) -> Iterator[str]:
    given = [name for name in ("accessKeyId", "secretAccessKey", "tokenSha256") if name in members]
    if given not in (["accessKeyId", "secretAccessKey"], ["tokenSha256"]):
        yield "has neither accessKeyId and secretAccessKey nor only tokenSha256"
        return
    # Ids that fit into a header, and secrets that are too long to be a mistake.
    for name, pattern, expected in (
        ("accessKeyId", r"[A-Za-z0-9_]{16,128}", "16 to 128 letters, digits or _"),
        ("secretAccessKey", r"[!-~]{20,256}", "20 to 256 printable ASCII characters"),
        ("tokenSha256", "[0-9a-f]{64}", "64 hexadecimal digits in lower case"),
    ):
        if name in members and not _matches(members[name], pattern):
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
