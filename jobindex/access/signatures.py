"""AWS Signature Version 4: the key that signed a request, and the integrity of the request.

The query is parsed as by operations and encoded again, so the signature covers the values that the service reads: a
changed parameter breaks it, another spelling of the same value does not. The path is used as it arrived, as at AWS, or
spelled as by SDKs. Not chosen: a query parser of our own, which could treat `%2B` and `+` differently from operations;
botocore's signer, which comes with a whole client and expects an encoded query.

A request signed by AWS's rules is accepted, also through a proxy with its own host and base path. As at AWS, an
eavesdropper can replay a request until SKEW has passed.
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)
"""

import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import product
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from jobindex.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
    shown,
)

SERVICE = "iot"
DATA_PLANE = "iot-jobs-data"
"""The service of the jobs data plane, whose paths are those of `iot`: only the signature's scope differs."""
SKEW = timedelta(minutes=5)
"""The greatest difference between a client's clock and ours, in either direction."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_SPACES = " \t"
_TERMINATOR = "aws4_request"
_SCOPE_ELEMENTS = 5
_PARAMETERS = ("Credential", "Signature", "SignedHeaders")
_AMZ_DATE = re.compile(r"[0-9]{8}T(?:[01][0-9]|2[0-3])[0-9]{4}Z")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, ([0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}) (?:GMT|[+-]0000)")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as it arrived."""

    method: str
    path: bytes
    """As sent, with its percent-encoding, without the query."""
    query_string: bytes
    headers: Sequence[tuple[bytes, bytes]]
    """With names in lower case, which may repeat."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUrl:
    """The URL that clients use, if there is a proxy."""

    host: str
    """As in the header `Host`: in lower case, with the port unless it is the scheme's default."""
    is_secure: bool = False
    base_path: str = ""
    """The prefix that the proxy removes from the path, such as `/iot`, with its percent-encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: Sequence[str]
    signature: str
    time: datetime
    timestamp: str
    """`time` as signed."""


def verify(
    request: SignedRequest,
    secrets: Mapping[str, str],
    *,
    region: str,
    services: Sequence[str] = (SERVICE, DATA_PLANE),
    now: datetime,
    public: PublicUrl | None = None,
) -> str:
    """Return the access key id whose secret signed a request.

    `secrets` are by access key id; the signature may be for any of `services`; `now` is in UTC. With `public`, the
    client may have signed its host, with or without its base path.

    Raises:
        MissingAuthenticationTokenException: the request is not signed.
        IncompleteSignatureException: a part of the signature is missing or malformed.
        UnrecognizedClientException: the access key id is unknown, or has a session token: our keys have none.
        InvalidSignatureException: the signature does not match the request, the region, the service or the time.
    """
    headers = _joined(request.headers)
    claim = _parse_claim(headers, [value for name, value in request.headers if name == b"authorization"])
    secret = secrets.get(claim.access_key_id)
    if secret is None or "x-amz-security-token" in headers:
        raise UnrecognizedClientException("The security token included in the request is invalid.")
    problems = " ".join(_scope_problems(claim, region, services))
    if problems:
        raise InvalidSignatureException(problems)
    _check_time(claim.time, now)
    _check_headers(claim.signed_headers, headers)
    payload_hash = sha256(request.body).hexdigest()
    if headers.get("x-amz-content-sha256", payload_hash) != payload_hash:
        raise InvalidSignatureException("The provided 'x-amz-content-sha256' header does not match what was computed.")
    query = _canonical_query(request.query_string)
    spellings = dict.fromkeys((request.path, _as_sdks_spell(request.path)))
    for (host, base_path), path in product(_addresses(headers["host"], public), spellings):
        signed = {**headers, "host": host}
        canonical = (
            request.method,
            _canonical_path(base_path.encode() + path),
            query,
            *(f"{name}:{signed[name]}" for name in claim.signed_headers),
            "",
            ";".join(claim.signed_headers),
            payload_hash,
        )
        if hmac.compare_digest(_sign("\n".join(canonical), claim, secret).encode(), claim.signature.encode("latin-1")):
            return claim.access_key_id
    raise InvalidSignatureException(_MISMATCH)


def signed_service(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the service in a signature's scope, valid or not; None without one.

    SDKs always sign, even if no keys are required.
    """
    authorization = [value for name, value in headers if name == b"authorization"]
    scope = _split(authorization)[1].get("Credential", "").split("/") if authorization else []
    return scope[3] if len(scope) == _SCOPE_ELEMENTS else None


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    # Clients send the signed text as latin-1.
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.decode("latin-1"), []).append(" ".join(value.decode("latin-1").split()))
    return {name: ",".join(repeated) for name, repeated in values.items()}


def _parse_claim(headers: Mapping[str, str], authorization: Sequence[bytes]) -> _Claim:
    if not authorization:
        raise MissingAuthenticationTokenException("Missing Authentication Token")
    algorithm, given = _split(authorization)
    if algorithm.startswith("AWS4-") and algorithm != _ALGORITHM:
        raise IncompleteSignatureException(f"Unsupported AWS 'algorithm': {shown(algorithm)}.")
    # The error does not repeat the header: a secret may be in the wrong place.
    problems = [f"Authorization header requires '{name}' parameter." for name in _PARAMETERS if not given.get(name)]
    sent_at = headers.get("x-amz-date") or headers.get("date") or ""
    if not sent_at:
        problems.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if problems:
        raise IncompleteSignatureException(" ".join(problems))
    credential = given["Credential"].split("/")
    if len(credential) != _SCOPE_ELEMENTS:
        raise IncompleteSignatureException(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
        )
    access_key_id, date, region, service, terminator = credential
    time = _parse_time(sent_at)
    return _Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        service=service,
        terminator=terminator,
        signed_headers=sorted(set(given["SignedHeaders"].split(";"))),
        signature=given["Signature"],
        time=time,
        timestamp=_basic(time),
    )


def _split(authorization: Sequence[bytes]) -> tuple[str, Mapping[str, str]]:
    # Only ASCII spaces: `Access.authenticate` has to find the same scheme.
    algorithm, _, parameters = b",".join(authorization).decode("latin-1").strip(_SPACES).partition(" ")
    given: dict[str, str] = {}
    if algorithm == _ALGORITHM:
        for parameter in parameters.split(","):
            name, _, value = parameter.strip(_SPACES).partition("=")
            given[name] = value
    return algorithm, given


def _parse_time(text: str) -> datetime:
    try:
        if _AMZ_DATE.fullmatch(text):
            return datetime.fromisoformat(text)
        if match := _HTTP_DATE.fullmatch(text):
            return datetime.strptime(match[1], "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:  # an impossible day or time
        pass
    raise IncompleteSignatureException(f"Date must be in ISO-8601 'basic format'. Got {shown(text)}.")


def _scope_problems(claim: _Claim, region: str, services: Sequence[str]) -> Iterator[str]:
    if claim.region != region:
        yield f"Credential should be scoped to a valid Region, not {shown(claim.region)}."
    if claim.service not in services:
        yield f"Credential should be scoped to correct service: {' or '.join(map(repr, services))}."
    if claim.terminator != _TERMINATOR:
        yield f"Credential should be scoped with a valid terminator: '{_TERMINATOR}', not {shown(claim.terminator)}."
    if claim.date != claim.timestamp[:8]:
        yield (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"{shown(claim.date)} != '{claim.timestamp[:8]}', from '{claim.timestamp}'."
        )


def _check_time(time: datetime, now: datetime) -> None:
    minutes = f"{SKEW // timedelta(minutes=1)} min."
    if time < now - SKEW:
        raise InvalidSignatureException(
            f"Signature expired: {_basic(time)} is now earlier than {_basic(now - SKEW)} ({_basic(now)} - {minutes})"
        )
    if time > now + SKEW:
        raise InvalidSignatureException(
            f"Signature not yet current: {_basic(time)} is still later than {_basic(now + SKEW)} "
            f"({_basic(now)} + {minutes})"
        )


def _check_headers(signed: Sequence[str], headers: Mapping[str, str]) -> None:
    if "host" not in signed:
        raise InvalidSignatureException("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    for name in signed:
        if name not in headers:
            raise InvalidSignatureException(f"The signed header {shown(name)} is not in the request.")


def _addresses(host: str, public: PublicUrl | None) -> Iterator[tuple[str, str]]:
    yield host, ""
    if public is not None:
        yield public.host, ""
        yield public.host, public.base_path


def _as_sdks_spell(path: bytes) -> bytes:
    """Spell a path as SDKs do: nginx decodes parts of the path that it forwards, such as `%3A`."""
    segments = ((segment, unquote_to_bytes(segment)) for segment in path.split(b"/"))
    # Encoded dots are a name, not a dot segment, which is left out of the signed path.
    return b"/".join(segment if name in {b".", b".."} else quote(name, safe="").encode() for segment, name in segments)


def _canonical_path(path: bytes) -> str:
    # No dot or empty segments, and encoded once more, as for every service but S3.
    segments: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del segments[-1:]
        elif segment not in {b"", b"."}:
            segments.append(segment)
    end = "/" if segments and path.endswith(b"/") else ""
    return f"/{quote(b'/'.join(segments))}{end}"


def _canonical_query(query_string: bytes) -> str:
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)  # as operations parse it
    encoded = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _sign(canonical: str, claim: _Claim, secret: str) -> str:
    key = f"AWS4{secret}".encode()
    scope = (claim.date, claim.region, claim.service, claim.terminator)
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    digest = sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    return hmac.digest(key, "\n".join((_ALGORITHM, claim.timestamp, "/".join(scope), digest)).encode(), "sha256").hex()


def _basic(time: datetime) -> str:
    # Not strftime: it gives years with less than four digits.
    return f"{time.isoformat(timespec='seconds')[:19].replace('-', '').replace(':', '')}Z"
