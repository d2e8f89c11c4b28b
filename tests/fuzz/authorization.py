"""Credentials: requests signed by botocore, tokens and cookies, changed in transit.

A request admitted by a signature must mean the same as the signed one: the secret signs only one request. botocore's
signer must also confirm the signature for the request as it arrived.
"""

import asyncio
import re
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.requests import Request

from fuzz.source import Source
from fuzz.target import Target, expect
from jobindex.access.access import COOKIE, Access
from jobindex.access.keys import AccessKey, Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.access.signatures import PublicUrl
from jobindex.errors import (
    IncompleteSignatureException,
    InvalidRequestException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from jobindex.web.api.bodies import read_body
from jobindex.web.api.gateway import _is_signed_with_body, _signed

REGION = "eu-central-1"
ACCESS_KEY_ID, SECRET = "AKIDEXAMPLEEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
OTHER_ID, OTHER_SECRET = "AKIDOTHEROTHEROTHER", "another-secret-that-nobody-signs-with"
TOKEN = "t0ken-of-the-key-that-has-one"
HOST = "jobs.example:8080"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

_ERRORS = (
    MissingAuthenticationTokenException,
    IncompleteSignatureException,
    UnrecognizedClientException,
    InvalidSignatureException,
    InvalidRequestException,
)
_TARGETS = (
    b"/jobs",
    b"/jobs?namespaceId=acme&status=IN_PROGRESS",
    b"/jobs?nextToken=a%2Bb%3D%3D&maxResults=7&namespaceId=",
    b"/jobs/job-1/things?a=%C3%A9&a=1&b",
    b"/things/a%3Ab/jobs",
    b"/things/a%253Ab/jobs/",
    b"/rejected/retry?id=1&id=2",
    b"/",
)
_SPACES = (b" ", b"\t", b"\x0b", b"\x0c", b"\x1c", b"\x1f", b"\x85", b"\xa0")
"""Characters that Python treats as spaces in latin-1."""
_BASIC = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request as it arrives."""

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def means(self, public: PublicUrl | None) -> object:
        """Return the request's meaning: the values that operations use, whether or not a proxy keeps its base path."""
        path = _normal(self.path)
        if public is not None and f"{path.decode()}/".startswith(f"{public.base_path}/"):
            path = path[len(public.base_path) :] or b"/"
        segments = [unquote_to_bytes(part) for part in path.split(b"/")]
        query = sorted(parse_qsl(self.query.decode("latin-1"), keep_blank_values=True))
        return self.method, segments, query, self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request, and the original that the owner of the credentials made."""

    arrived: Arrived
    made: Arrived
    credential: str
    """`signature`, `token` or `cookie`."""
    public: PublicUrl | None
    is_timely: bool = True
    """Whether it was signed within the allowed clock skew."""


def make(source: Source, session: str) -> Case:
    """Make a request with credentials, and change it."""
    path, _, query = source.pick(_TARGETS).partition(b"?")
    made = Arrived(
        method=source.pick(["GET", "HEAD", "POST", "DELETE"]),
        path=path,
        query=query,
        headers=[(b"host", HOST.encode())],
        body=b"" if source.byte() < 192 else source.pick([b"{}", b"x" * 100]),
    )
    if made.body:
        made = replace(made, headers=[*made.headers, (b"content-length", str(len(made.body)).encode())])
    public = PublicUrl(host=HOST, base_path="/iot") if source.happens(4) else None
    credential = source.pick(["signature"] * 6 + ["token", "cookie"])
    skew = source.pick([0] * 6 + [299, -299, 301, -301])
    match credential:
        case "signature":
            base = "/iot" if public and source.happens(2) else ""
            made = signed(made, _extra(source), base=base, is_dated=source.happens(4), skew=skew)
        case "token":
            made = replace(made, headers=[*made.headers, (b"authorization", f"Bearer {TOKEN}".encode())])
        case _:
            made = replace(made, headers=[*made.headers, (b"cookie", f"a=b; {COOKIE}={session}; c=d".encode())])
    arrived = made
    for _ in range(source.below(4)):
        arrived = _changed(source, arrived)
    if not {name for name, _ in arrived.headers} & {b"content-length", b"transfer-encoding"}:
        arrived = replace(arrived, body=b"")  # without these, there is none
    return Case(
        arrived=arrived,
        made=made,
        credential=credential,
        public=public,
        is_timely=credential != "signature" or abs(skew) <= 300,
    )


def _extra(source: Source) -> Sequence[tuple[str, str]]:
    return source.some(lambda: source.pick([("X-Mark", "one  two"), ("Accept", "*/*"), ("X-Mark", "three,four")]), 2)


def signed(
    made: Arrived,
    extra: Sequence[tuple[str, str]] = (),
    *,
    base: str = "",
    is_dated: bool = False,
    skew: int = 0,
) -> Arrived:
    """Return a request with botocore's signature, made some seconds before or after NOW."""
    query = b"?" + made.query if made.query else b""
    request = AWSRequest(made.method, f"http://{HOST}{base}{(made.path + query).decode()}", data=made.body)
    for name, value in (*extra, *([("Date", "")] if is_dated else [])):
        request.headers.add_header(name, value)
    signer = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET), "iot", REGION)
    request.context["timestamp"] = (NOW + timedelta(seconds=skew)).strftime(_BASIC)
    signer._modify_request_before_signing(request)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    signer._inject_signature_to_request(request, signature)
    added = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
    return replace(made, headers=[*made.headers, *added])


_AUTHORIZATION_WORDS = (
    *(b",", b", ", b"=", b"/", b";", b" ", b"Credential=", b"SignedHeaders=", b"Signature=", b"AWS4-HMAC-SHA256"),
    *(b"host", b";x-amz-date", b"iot", b"aws4_request", b"20261124", b"us-east-1", b"Bearer ", OTHER_ID.encode()),
    b"AWS4-HMAC-SHA512",
)
_HEADERS = (
    *((b"host", value) for value in (b"jobs.example", b"evil.example", HOST.upper().encode(), b"127.0.0.1")),
    *((b"x-amz-date", value) for value in (b"20261124T120001Z", b"20261124T110000Z", b"20261231T235960Z")),
    *((b"date", value) for value in (b"Tue, 24 Nov 2026 12:00:00 GMT", b"Tue, 24 Nov 2026 12:00:01 GMT")),
    *((b"x-amz-content-sha256", value) for value in (b"UNSIGNED-PAYLOAD", b"", b"0" * 64)),
    *((b"authorization", value) for value in (b"", b"Bearer x", b"Basic YTpi", b"AWS4-HMAC-SHA256 Signature=x")),
    *((b"cookie", value) for value in (b"", COOKIE.encode(), COOKIE.encode() + b"=", b"jobindex-session=x")),
    (b"x-amz-security-token", b"session"),
    (b"x-mark", b"four"),
    (b"transfer-encoding", b"chunked"),
)


def _changed(source: Source, arrived: Arrived) -> Arrived:
    """Change one thing about a request in transit."""
    words: Sequence[bytes]
    match source.below(13) if arrived.headers else 6:
        case 0:
            return replace(arrived, method=source.pick(["GET", "HEAD", "POST", "DELETE", "get", "PUT"]))
        case 1 | 2:
            words = (b"/", b"//", b"/.", b"/./", b"/..", b"%2F", b"/x/..", b"%2e", b"jobs", b"things", b"/iot")
            path = source.broken(arrived.path, words, at_most=1)
            return replace(arrived, path=_printable(path.replace(b"?", b"")) or b"/")
        case 3 | 4:
            words = (b"&", b"=", b"+", b"%20", b";", b"%26", b"&namespaceId=other", b"namespaceId=acme&", b"&a")
            return replace(arrived, query=_printable(source.broken(arrived.query, words, at_most=1)))
        case 5:
            body = source.broken(arrived.body, (b"{}", b"\n"), at_most=1)
            headers = [item for item in arrived.headers if item[0] != b"content-length"]
            told = [(b"content-length", str(len(body)).encode())]
            return replace(arrived, body=body, headers=[*headers, *told])
        case 6:
            return replace(arrived, headers=[*arrived.headers, source.pick(_HEADERS)])
        case 7:
            return replace(arrived, headers=[source.pick(_HEADERS), *arrived.headers])
        case 8:
            place = source.below(len(arrived.headers))
            kept = [item for number, item in enumerate(arrived.headers) if number != place]
            return replace(arrived, headers=kept)
        case 9:
            place = source.below(len(arrived.headers))
            return replace(arrived, headers=[*arrived.headers, arrived.headers[place]])
        case 10:
            name, value = arrived.headers[-1]  # the credential's
            value = source.pick([b"", *_SPACES]) + value + source.pick([b"", *_SPACES])
            return replace(arrived, headers=[*arrived.headers[:-1], (name, value)])
        case _:
            return replace(arrived, headers=[_changed_header(source, item) for item in arrived.headers])


def _changed_header(source: Source, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    if name == b"content-length" or not source.happens(2):
        return header
    words = _AUTHORIZATION_WORDS if name == b"authorization" else (b" ", b"  ", b"\t", b",", b"Z", b"host", b"=", b";")
    if name == b"authorization" and source.happens(3):
        parts = value.split(b", ")
        parts.insert(source.below(len(parts) + 1), source.broken(source.pick(parts), words, at_most=1))
        value = b", ".join(parts)
    return name, source.broken(value, words, at_most=1).translate(None, b"\r\n\0")


def _printable(text: bytes) -> bytes:
    return re.sub(rb"[^!-~]", b"", text)


@contextmanager
def opened() -> Iterator[Target[Case]]:
    """Open the target."""
    keys = Keys(
        [
            _key("signer", access_key=AccessKey(id=ACCESS_KEY_ID, secret=SECRET)),
            _key("other", access_key=AccessKey(id=OTHER_ID, secret=OTHER_SECRET)),
            _key("bearer", token_sha256=digest(TOKEN)),
        ]
    )
    accesses = {
        public: Access(keys, region=REGION, public=public, clock=lambda: NOW)
        for public in (None, PublicUrl(host=HOST, base_path="/iot"))
    }
    sessions = {public: access.sign_in(TOKEN) for public, access in accesses.items()}
    with asyncio.Runner() as runner:
        yield Target(
            make=lambda source: make(source, sessions[None]),
            check=lambda case: runner.run(check(case, accesses[case.public if case.credential != "cookie" else None])),
        )


def _key(name: str, **credential: Any) -> Key:
    principal = Principal(name=name, role=Role.READ, namespace_ids=None)
    return Key(principal=principal, created_at=NOW, **credential)


async def check(case: Case, access: Access) -> None:
    """Check that an admitted principal has the credentials for the request."""
    arrived = case.arrived
    body = [{"type": "http.request", "body": arrived.body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return body.pop() if body else {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": arrived.method,
        "raw_path": arrived.path,
        "path": arrived.path.decode(),
        "query_string": arrived.query,
        "headers": list(arrived.headers),
    }
    try:
        covered = await read_body(Request(scope, receive)) if _is_signed_with_body(scope) else b""
        name = access.authenticate(_signed(scope, covered)).name
    except _ERRORS as error:
        is_right = (
            arrived == case.made
            and case.is_timely
            and (case.credential != "cookie" or arrived.method in {"GET", "HEAD"})
        )
        expect(that=not is_right, of=f"the right credential is refused: {error}")
        told = str(error)
        expect(that=not any(secret in told for secret in (SECRET, OTHER_SECRET, TOKEN)), of=told)
        given = repr(arrived.headers)
        expect(that=all(digits in given for digits in re.findall("[0-9a-f]{64}", told)), of=told)
        return
    headers = dict(arrived.headers)
    authorization = headers.get(b"authorization", b"").decode("latin-1").strip(" \t")
    if not authorization:
        cookies = [pair.strip() for pair in headers.get(b"cookie", b"").decode("latin-1").split(";")]
        session = dict(case.made.headers).get(b"cookie", b"").decode("latin-1").split("; ")[1:2]
        expect(that=case.credential == "cookie" and session[0] in cookies, of=cookies)
        expect(that=arrived.method in {"GET", "HEAD"} and name == "bearer", of=arrived.method)
    elif authorization.lower().startswith("bearer "):
        expect(that=name == "bearer" and authorization[7:].strip() == TOKEN, of=authorization)
    else:
        expect(that=name == "signer" and case.credential == "signature" and case.is_timely, of=name)
        signed_for, means = case.made.means(case.public), arrived.means(case.public)
        expect(that=signed_for == means, of=(signed_for, means))
        _check_signature(case)


def _check_signature(case: Case) -> None:
    """Check with botocore's signer that the request as the service reads it has the signature that arrived."""
    arrived = case.arrived
    authorization = b",".join(value for name, value in arrived.headers if name == b"authorization").decode("latin-1")
    claimed = re.findall(r"Signature=([0-9a-f]{64})", authorization)
    names = {name for each in re.findall(r"SignedHeaders=([^,\s]*)", authorization) for name in each.split(";")}
    pairs = parse_qsl(arrived.query.decode("latin-1"), keep_blank_values=True)
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    dates = [value for name in (b"x-amz-date", b"date") for given, value in arrived.headers if given == name]
    timestamps = {_timestamp(value.decode("latin-1")) for value in dates}
    computed = set()
    for base in {"", case.public.base_path if case.public else ""}:
        for host in {dict(arrived.headers)[b"host"].decode("latin-1"), *([case.public.host] if case.public else [])}:
            # A proxy may have re-encoded the path: the SDK's encoding of it counts, too.
            for path in {arrived.path, _anew(arrived.path)}:
                request = AWSRequest(
                    arrived.method, f"http://{HOST}{base}{_normal(path).decode()}?{query}", data=arrived.body
                )
                for name, value in arrived.headers:
                    if name.decode("latin-1") in names and name != b"host":
                        request.headers.add_header(name.decode("latin-1"), value.decode("latin-1"))
                if host != HOST:
                    request.headers.add_header("host", host)
                signer = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET), "iot", REGION)
                for timestamp in timestamps - {None}:
                    request.context["timestamp"] = timestamp
                    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
                    computed.add(signer.signature(to_sign, request))
    expect(that=any(signature in computed for signature in claimed), of=(claimed, computed))


def _anew(path: bytes) -> bytes:
    """Return a path in an SDK's encoding; segments that would change the folder stay unchanged."""
    meant = [(part, unquote_to_bytes(part)) for part in path.split(b"/")]
    return b"/".join(part if name in {b".", b".."} else quote(name, safe="").encode() for part, name in meant)


def _timestamp(text: str) -> str | None:
    text = " ".join(text.split())
    for form in (_BASIC, "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S +0000", "%a, %d %b %Y %H:%M:%S -0000"):
        try:
            return datetime.strptime(text, form).strftime(_BASIC)  # noqa: DTZ007 (only text is wanted)
        except ValueError:
            continue
    return None


def _normal(path: bytes) -> bytes:
    """Return a path without empty and dot segments, as every signer but S3's normalizes it."""
    segments: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            segments = segments[:-1]
        elif segment not in {b"", b"."}:
            segments.append(segment)
    return b"/" + b"/".join(segments) + (b"/" if segments and path.endswith(b"/") else b"")
