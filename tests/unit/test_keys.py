"""The key file, and the clients that it admits."""

import json
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobindex.access.access import COOKIE, Access
from jobindex.access.keys import AccessKey, Key, Keys, digest, encode_keys, parse_keys
from jobindex.access.keys_file import change_keys, read_keys
from jobindex.access.principals import ANYONE, NOBODY, Principal, Role
from jobindex.access.sessions import SESSION_SECONDS, SESSIONS_MAXIMUM, Sessions
from jobindex.access.signatures import SignedRequest
from jobindex.errors import (
    AccessDeniedException,
    KeysError,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SDK = Key(
    principal=Principal(name="sdk", role=Role.READ, namespace_ids=frozenset({"acme", "b"})),
    created_at=NOW,
    access_key=AccessKey(id="JOBXAAAAAAAAAAAAAAAA", secret="s" * 40),
)
OPS = Key(
    principal=Principal(name="ops", role=Role.OPERATE, namespace_ids=None),
    created_at=NOW,
    token_sha256=digest("the token"),
)
TOLD = {
    "name": "sdk",
    "role": "read",
    "namespaces": ["acme"],
    "createdAt": "2026-11-24T12:00:00Z",
    "accessKeyId": "JOBXAAAAAAAAAAAAAAAA",
    "secretAccessKey": "s" * 40,
}


def problems(*keys: Any) -> tuple[str, ...]:
    """Return the problems of a key file."""
    with pytest.raises(KeysError) as raised:
        parse_keys(json.dumps({"keys": keys}).encode())
    return raised.value.problems


def without(*names: str, **others: object) -> dict[str, object]:
    """Return a key as its file contains it, with members removed or replaced."""
    return {name: value for name, value in TOLD.items() if name not in names} | others


def request(method: str = "GET", **headers: str) -> SignedRequest:
    """Return a request with headers."""
    told = [(name.encode(), value.encode()) for name, value in headers.items()]
    return SignedRequest(method=method, path=b"/jobs", query_string=b"", headers=told, body=b"")


def test_keys_are_read_as_they_were_written() -> None:
    """Both kinds of keys are read back, with and without a limit."""
    assert (SDK, OPS) == parse_keys(encode_keys(Keys([SDK, OPS]))).all


def test_a_key_stays_the_same_when_its_file_is_written_again() -> None:
    """A key's time has whole seconds, as the sessions of a changed key would end."""
    told = {"keys": [without(createdAt="2026-11-24T12:00:00.999Z")]}
    keys = parse_keys(json.dumps(told).encode())
    assert keys.all == parse_keys(encode_keys(keys)).all


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (without("name"), "key 1: name is not 1 to 64 letters, digits or _.@-"),
        (without(name="a b"), "key 1: name is not 1 to 64 letters, digits or _.@-"),
        (without("role"), "key 'sdk': role is not one of read, operate"),
        (without(role="admin"), "key 'sdk': role is not one of read, operate"),
        (without(rol="read"), "key 'sdk': unknown member 'rol'"),
        (without("createdAt"), "key 'sdk': createdAt is not a time with a zone, such as 2026-11-24T12:00:00Z"),
        (
            without(createdAt="2026-11-24"),
            "key 'sdk': createdAt is not a time with a zone, such as 2026-11-24T12:00:00Z",
        ),
        (
            without(createdAt="0001-01-01T00:00:00+23:00"),
            "key 'sdk': createdAt is not a time with a zone, such as 2026-11-24T12:00:00Z",
        ),
        (without(namespaces=[]), "key 'sdk': namespaces is not a list, or is empty"),
        (without(namespaces="acme"), "key 'sdk': namespaces is not a list, or is empty"),
        (without(namespaces=["a b"]), "key 'sdk': namespaces contains 'a b', which is not a namespace"),
        (without(namespaces=[1]), "key 'sdk': namespaces contains 1, which is not a namespace"),
        (
            without(role="operate"),
            "key 'sdk': the role operate cannot be limited to namespaces: rejected messages have none",
        ),
        (
            without("accessKeyId"),
            "key 'sdk': has neither accessKeyId and secretAccessKey nor only tokenSha256",
        ),
        (
            without(tokenSha256="0" * 64),
            "key 'sdk': has neither accessKeyId and secretAccessKey nor only tokenSha256",
        ),
        (without(accessKeyId="short"), "key 'sdk': accessKeyId is not 16 to 128 letters, digits or _"),
        (without(secretAccessKey="hunter2"), "key 'sdk': secretAccessKey is not 20 to 256 printable ASCII characters"),
        (
            without("accessKeyId", "secretAccessKey", tokenSha256="F" * 64),
            "key 'sdk': tokenSha256 is not 64 hexadecimal digits in lower case",
        ),
        ("sdk", "key 1 is not an object"),
    ],
)
def test_a_key_that_cannot_be_is_told_without_its_secret(told: object, problem: str) -> None:
    """A problem names the key, or its position."""
    assert (problem,) == problems(told)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Each problem of the file is a line."""
    expected = (
        "key 'sdk': role is not one of read, operate",
        "key 'sdk': namespaces is not a list, or is empty",
        "key 2 is not an object",
        "name 'other' occurs twice",
        "accessKeyId 'JOBXAAAAAAAAAAAAAAAA' occurs twice",
    )
    assert expected == problems(without(role="x", namespaces=None), None, without(name="other"), without(name="other"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is not JSON"),
        (b"[]", 'is not {"keys": […]}'),
        (b'{"keys": {}}', 'is not {"keys": […]}'),
        (b'{"keys": [], "more": 1}', 'is not {"keys": […]}'),
    ],
)
def test_a_file_that_is_none_of_keys_is_told(content: bytes, problem: str) -> None:
    """A malformed file is not taken for a file without keys."""
    with pytest.raises(KeysError) as raised:
        parse_keys(content)
    assert raised.value.problems[0].startswith(problem)


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """An existing file keeps its mode, and a link is followed."""
    file, link = tmp_path / "keys.json", tmp_path / "link.json"
    link.symlink_to(file)
    change_keys(link, lambda keys: Keys((*keys.all, SDK)))
    assert link.is_symlink()
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    file.chmod(0o640)
    change_keys(link, lambda keys: Keys((*keys.all, OPS)))
    assert 0o640 == stat.S_IMODE(file.stat().st_mode)
    assert (SDK, OPS) == read_keys(link).all
    assert {file, link} == set(tmp_path.iterdir())


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    """A failed change leaves no file behind."""
    file = tmp_path / "keys.json"

    def refused(keys: Keys) -> Keys:
        raise KeysError([f"no: {len(keys.all)}"])

    with pytest.raises(KeysError, match="no"):
        change_keys(file, refused)
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeysError, match="cannot be changed: No such file or directory"):
        change_keys(tmp_path / "none" / "keys.json", refused)


def test_those_who_change_keys_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """Concurrent changes of the key file lose no key."""
    file = tmp_path / "keys.json"

    def add(number: int) -> None:
        token = Key(
            principal=Principal(name=f"key-{number}", role=Role.READ, namespace_ids=None),
            created_at=NOW,
            token_sha256=digest(str(number)),
        )
        change_keys(file, lambda keys: Keys((*keys.all, token)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    assert {f"key-{number}" for number in range(40)} == {key.principal.name for key in read_keys(file).all}


def test_without_keys_anyone_asks() -> None:
    """A request is admitted with any credentials if there are no keys."""
    access = Access()
    assert ANYONE == access.authenticate(request()) == access.authenticate(request(authorization="Bearer x"))


def test_a_token_tells_whose_it_is() -> None:
    """A token identifies its principal; the scheme is case-insensitive."""
    access = Access(Keys([SDK, OPS]))
    assert OPS.principal == access.authenticate(request(authorization="Bearer the token"))
    assert OPS.principal == access.authenticate(request("POST", authorization="bearer  the token "))
    for token in ("the tokeN", "", OPS.token_sha256):
        with pytest.raises(UnrecognizedClientException):
            access.authenticate(request(authorization=f"Bearer {token}"))
    with pytest.raises(MissingAuthenticationTokenException):
        access.authenticate(request())


def test_a_session_reads_until_it_ends() -> None:
    """A cookie only reads, so no foreign page can make a browser change anything."""
    access = Access(Keys([OPS]))
    cookie = f"other=a; {COOKIE}={access.sign_in('the token')}; broken"
    assert (
        OPS.principal
        == access.authenticate(request(cookie=cookie))
        == access.authenticate(request("HEAD", cookie=cookie))
    )
    for method in ("POST", "DELETE"):
        with pytest.raises(MissingAuthenticationTokenException):
            access.authenticate(request(method, cookie=cookie))
    access.sign_out(cookie.encode())
    with pytest.raises(MissingAuthenticationTokenException):
        access.authenticate(request(cookie=cookie))
    with pytest.raises(UnrecognizedClientException):
        access.sign_in("another token")


def test_a_key_that_is_revoked_ends_its_sessions() -> None:
    """Sessions of other keys continue; a new key of the same name is another key."""
    access = Access(Keys([OPS, other := Key(principal=NOBODY, created_at=NOW, token_sha256=digest("other"))]))
    cookies = [f"{COOKIE}={access.sign_in(token)}" for token in ("the token", "other")]
    again = Key(principal=other.principal, created_at=NOW, token_sha256=digest("new"))
    access.replace(Keys([OPS, again]))
    assert OPS.principal == access.authenticate(request(cookie=cookies[0]))
    with pytest.raises(MissingAuthenticationTokenException):
        access.authenticate(request(cookie=cookies[1]))
    with pytest.raises(UnrecognizedClientException):
        access.authenticate(request(authorization="Bearer other"))


def test_sessions_end_in_time_and_are_bounded() -> None:
    """Sessions expire; the oldest session of a key is evicted at the limit."""
    now = 0.0
    sessions = Sessions(lambda: now)
    first = sessions.open(OPS)
    now = SESSION_SECONDS - 1.0
    assert OPS == sessions.key(first)
    second = sessions.open(OPS)
    now += 1
    assert (None, OPS) == (sessions.key(first), sessions.key(second))
    other = sessions.open(SDK)
    for _ in range(SESSIONS_MAXIMUM - 1):
        last = sessions.open(OPS)
    assert OPS == sessions.key(second)
    sessions.open(OPS)
    assert (None, OPS, SDK) == (sessions.key(second), sessions.key(last), sessions.key(other))


def test_what_a_principal_may_not_is_denied_in_awss_words() -> None:
    """A denial does not show whether the namespace exists."""
    sdk = SDK.principal
    sdk.check_namespace(None, "ListJobs")
    sdk.check_namespace("acme", "ListJobs")
    OPS.principal.check_namespace("any", "ListJobs")
    OPS.principal.check_operates("PurgeRejectedMessages")
    reader = Principal(name="reader", role=Role.READ, namespace_ids=None)
    reader.check_all_visible("GetMetrics")
    denials: Sequence[tuple[Callable[[], None], str]] = (
        (
            lambda: sdk.check_namespace("other", "ListJobs"),
            "User: sdk is not authorized to perform: iot:ListJobs on resource: namespace/other",
        ),
        (
            lambda: sdk.check_all_visible("GetMetrics"),
            "User: sdk is not authorized to perform: iot:GetMetrics on resource: *",
        ),
        (
            lambda: reader.check_operates("PurgeRejectedMessages"),
            "User: reader is not authorized to perform: iot:PurgeRejectedMessages on resource: *",
        ),
    )
    for check, message in denials:
        with pytest.raises(AccessDeniedException) as raised:
            check()
        assert message == str(raised.value)
