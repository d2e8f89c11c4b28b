"""Signatures: requests that AWS's clients signed are accepted, and changed requests are refused."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import process_time
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

import pytest
from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from support.signed_requests import ACCESS_KEY_ID, MISMATCH, REGION, SECRET, Caller, signed

from jobindex.access.signatures import SKEW, PublicUrl, SignedRequest, signed_service, verify
from jobindex.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    JobindexError,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from jobindex.web.api.responses import refusal

SECRETS = {ACCESS_KEY_ID: SECRET, "OTHER": "another-secret"}
ERRORS = (
    MissingAuthenticationTokenException,
    IncompleteSignatureException,
    UnrecognizedClientException,
    InvalidSignatureException,
)
BASIC = "%Y%m%dT%H%M%SZ"
PUBLIC = PublicUrl(host="example.org", base_path="/iot")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
PAIRS = st.lists(st.tuples(TEXT, st.text(st.characters(exclude_categories=["Cs"]), max_size=12)), max_size=5)
HEADER = st.tuples(
    st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
    .map(lambda name: f"X-{name}")
    .filter(lambda name: name.lower() not in SIGNED_HEADERS_BLACKLIST),
    st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]) | st.just("\t"), max_size=12),
)


def signer(request: SignedRequest, *, now: datetime | None = None, public: PublicUrl | None = None) -> str:
    """Return the access key id that signed a request."""
    return verify(request, SECRETS, region=REGION, now=now or datetime.now(UTC), public=public)


def refused(request: SignedRequest, *, now: datetime | None = None) -> tuple[type[Exception], str]:
    """Return the error that refuses a request; it contains nothing that helps to forge another."""
    with pytest.raises(ERRORS) as caught:
        signer(request, now=now)
    message = str(caught.value)
    assert not [secret for secret in SECRETS.values() if secret in message]
    assert not re.search("[0-9a-f]{64}", message)
    return caught.type, message


def with_part(request: SignedRequest, part: str, value: str | bytes | None) -> SignedRequest:
    """Return a request with another field, or else with another header, or without it if None."""
    match value:
        case None:
            return replace(request, headers=[item for item in request.headers if item[0] != part.encode()])
        case str() if part != "method":
            kept = with_part(request, part, None).headers
            return replace(request, headers=[*kept, (part.encode(), value.encode("latin-1"))])
        case _:
            return replace(request, **{part: value})  # type: ignore[arg-type]


def authorized(request: SignedRequest, old: str, new: str) -> SignedRequest:
    """Return a request with a replacement in its Authorization header."""
    authorization = header(request, "authorization")
    assert old in authorization
    return with_part(request, "authorization", authorization.replace(old, new))


def header(request: SignedRequest, name: str) -> str:
    """Return the value of a header."""
    return dict(request.headers)[name.encode()].decode()


@pytest.fixture(scope="module")
def caller() -> Caller:
    """Return a boto3 client, which signs its requests."""
    return Caller()


def example() -> SignedRequest:
    """Return a request with a query, a body and its own header, signed now."""
    return signed("PUT", "/things/a%3Ab/jobs?b=%2B%20&a=%C3%A9&a=1", headers=(("X-Mark", "one  two"),), body=b"{}")


@given(thing_name=TEXT, job_id=TEXT, namespace_id=TEXT, next_token=TEXT, document=TEXT)
def test_what_boto3_sends_is_recognized(
    caller: Caller, *, thing_name: str, job_id: str, namespace_id: str, next_token: str, document: str
) -> None:
    """A request of boto3 is accepted with any text in its path, query and body."""
    listing = {"maxResults": 7, "namespaceId": namespace_id, "nextToken": next_token, "status": "IN_PROGRESS"}
    for request in (
        caller.request("list_jobs"),
        caller.request("list_jobs", **listing, targetSelection="SNAPSHOT", thingGroupName=thing_name),
        caller.request("describe_job", jobId=job_id),
        caller.request("list_job_executions_for_thing", thingName=thing_name, **listing),
        caller.request("list_job_executions_for_job", jobId=job_id, nextToken=next_token),
        caller.request("describe_job_execution", thingName=thing_name, jobId=job_id, executionNumber=1),
        caller.request("create_job", jobId=job_id, targets=[thing_name], document=document),
        caller.request("delete_job", jobId=job_id, force=True),
    ):
        assert ACCESS_KEY_ID == signer(request)


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
    path=st.lists(TEXT | st.sampled_from([".", "..", ""]), max_size=6),
    query=PAIRS,
    headers=st.lists(HEADER, max_size=5),
    is_dated=st.booleans(),
    body=st.binary(max_size=20),
)
def test_what_botocore_signs_is_recognized(
    *,
    method: str,
    path: list[str],
    query: list[tuple[str, str]],
    headers: list[tuple[str, str]],
    is_dated: bool,
    body: bytes,
) -> None:
    """Any method, path, query, headers and body are accepted, with either header for the date."""
    target = f"/{'/'.join(quote(segment, safe='') for segment in path)}?{urlencode(query, quote_via=quote, safe='~')}"
    dated = [("Date", "")] if is_dated else []
    request = signed(method, target, headers=(*headers, *dated), body=body)
    assert is_dated == (b"x-amz-date" not in dict(request.headers))
    assert ACCESS_KEY_ID == signer(request)


def test_parameters_are_in_the_order_of_their_names() -> None:
    """A name sorts before longer names that begin with it; equal names sort by value."""
    assert ACCESS_KEY_ID == signer(signed(target="/jobs?a1=1&a-=1&a%20=1&a=2&a=1&a=&A=1&~=1"))


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "signature"),
    [
        ("GET", "/", [], b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            [],
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/?Param1=value2&Param1=value1",
            [],
            b"",
            "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
        ),
        ("GET", "/\u1234", [], b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        ("GET", "/example space/", [], b"", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
        ("GET", "//example//", [], b"", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        ("GET", "/one/two/../..", [], b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/",
            [("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')],
            b"",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "GET",
            "/",
            [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
            b"",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "POST",
            "/",
            [("Content-Type", "application/x-www-form-urlencoded")],
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
    ids=[
        "vanilla",
        "query-order",
        "query-value-order",
        "utf8",
        "space",
        "slashes",
        "relative",
        "trim",
        "repeat",
        "form",
    ],
)
def test_the_vectors_of_aws_are_recognized(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes, signature: str
) -> None:
    """Requests of AWS's public test suite, on which botocore agrees, are accepted."""
    time, scope = "20150830T123600Z", "20150830/us-east-1/service/aws4_request"
    sent = AWSRequest(method, f"http://example.amazonaws.com{target}", data=body)
    for name, value in [*headers, ("X-Amz-Date", time)]:
        sent.headers.add_header(name, value)
    sent.context["timestamp"] = time
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET), "service", "us-east-1")
    assert signature == auth.signature(auth.string_to_sign(sent, auth.canonical_request(sent)), sent)

    path, _, query = target.partition("?")
    names = sorted({"host", "x-amz-date", *(name.lower() for name, _ in headers)})
    authorization = (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    arrived = [("host", "example.amazonaws.com"), ("x-amz-date", time), ("authorization", authorization), *headers]
    request = SignedRequest(
        method=method,
        path=path.encode(),
        query_string=query.encode(),
        headers=[(name.lower().encode(), value.encode()) for name, value in arrived],
        body=body,
    )
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    assert verify(request, SECRETS, region="us-east-1", services=["service"], now=now) == "AKIDEXAMPLE"


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ("query_string", b"a=1&a=%c3%a9&&%62=%2b+"),
        ("path", b"//things/./a%3Ab/x/../jobs"),
        ("path", b"/things/a:b/jobs"),
        ("path", b"/things/a%3ab/jobs"),
        ("path", b"/th%69ngs/%61:b/jobs"),
        ("x-mark", "\tone two "),
        ("x-unsigned", "new"),
        ("x-amz-content-sha256", sha256(b"{}").hexdigest()),
    ],
)
def test_what_changes_no_meaning_is_accepted(part: str, sent: str | bytes) -> None:
    """A proxy may add headers, and may respell the parts that it forwards."""
    assert ACCESS_KEY_ID == signer(with_part(example(), part, sent))


def test_headers_come_in_any_order() -> None:
    """Headers may have any order, and the commas in Authorization may have spaces around them."""
    request = example()
    assert ACCESS_KEY_ID == signer(replace(request, headers=request.headers[::-1]))
    for comma in (",", " ,  "):
        assert ACCESS_KEY_ID == signer(authorized(request, ", ", comma))


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        ("method", "GET"),
        ("method", "\ud800"),
        ("path", b"/things/a%3Ac/jobs"),
        ("path", b"/things/a%253Ab/jobs"),
        ("path", b"/things/a%3Ab/jobs/"),
        ("path", b"/things/a%3Ab%2Fjobs"),
        ("path", b"/things/a:b%2Fjobs"),
        ("path", b"/things/a%3Ab/jobs/x/%2E%2E"),
        ("path", b"/things/%2E/a:b/jobs"),
        ("path", b"/things/../a%3Ab/jobs"),
        ("path", b""),
        ("query_string", b""),
        ("query_string", b"b=%2B%20&a=%C3%A9"),
        ("query_string", b"b=%2B%20&a=%C3%A9&a=1&c=1"),
        ("query_string", b"b=%2B%20&a=%C3%A9&a=1&c"),
        ("query_string", b"b=%2B%20&a=%C3%A9&a=1&a=1"),
        ("query_string", b"b=+%20&a=%C3%A9&a=1"),
        ("query_string", b"b=%252B%20&a=%C3%A9&a=1"),
        ("query_string", b"b=%2B%20&a=\xc3\xa9&a=1"),
        ("query_string", b"b=%2B%20&a=%C3%A8&a=1"),
        ("query_string", b"B=%2B%20&a=%C3%A9&a=1"),
        ("query_string", b"b=%2B%20&a=%C3%A9&a=1%26"),
        ("query_string", b"b=%2B%20%26a=%C3%A9&a=1"),
        ("body", b""),
        ("body", b"{ }"),
        ("x-mark", "one three"),
        ("x-mark", ""),
        ("host", "jobs.example"),
        ("host", "JOBS.example:8080"),
    ],
)
def test_what_was_changed_is_refused(part: str, sent: str | bytes) -> None:
    """A change of the method, path, query, body or a signed header is refused."""
    assert (InvalidSignatureException, MISMATCH) == refused(with_part(example(), part, sent))


def test_a_header_that_was_added_to_a_signed_one_is_refused() -> None:
    """Headers of one name are signed together."""
    request = example()
    for added in ((b"x-mark", b""), (b"host", b"other.example")):
        assert (InvalidSignatureException, MISMATCH) == refused(replace(request, headers=[*request.headers, added]))


def test_a_signature_that_was_changed_is_refused() -> None:
    """A change in any part is refused, even to characters that no signature contains."""
    request = example()
    signature = header(request, "authorization")[-64:]
    for old, new in (
        (signature, signature[:-1]),
        (signature, f"{signature}0"),
        (signature, signature.upper()),
        (signature, f"{signature[:-1]}\xe9"),
        (signature, f"{'0' * 64}"),
        (ACCESS_KEY_ID, "OTHER"),
        ("host;x-amz-date;x-mark", "host;x-amz-date"),
        ("host;x-amz-date;x-mark", "host;x-amz-date;x-mark;authorization"),
    ):
        assert (InvalidSignatureException, MISMATCH) == refused(authorized(request, old, new))


def test_a_time_that_was_changed_is_refused() -> None:
    """A changed time is refused even if it is valid."""
    time = datetime.strptime(header(example(), "x-amz-date"), BASIC).replace(tzinfo=UTC)
    noon = time.replace(hour=12)  # so that the day stays the same
    request = with_part(example(), "x-amz-date", f"{noon:{BASIC}}")
    if noon != time:
        assert (InvalidSignatureException, MISMATCH) == refused(request, now=noon)


def test_another_secret_is_refused() -> None:
    """A client without the secret cannot sign."""
    assert (InvalidSignatureException, MISMATCH) == refused(signed(secret="guessed"))
    assert (InvalidSignatureException, MISMATCH) == refused(signed(secret=SECRETS["OTHER"]))


# Spellings of one character or delimiter, in a query, a row each.
SPELLINGS = (
    (b"a", b"%61"),
    (b"=",),
    (b"&", b"&&"),
    (b"+", b"%20", b" "),
    (b"%2B", b"%2b"),
    (b"%26",),
    (b"%3D", b"%3d"),
    (b"\xe9", b"%C3%A9", b"%c3%a9"),
    (b"%", b"%25"),
    (b"%C3\xa9",),
    (b"%EF%BF%BD",),
    (b"%C3",),
    (b"%A9",),
    (b"\xc3",),
    (b"\xa9",),
    (b";",),
)


@given(
    rows=st.lists(st.sampled_from(SPELLINGS), max_size=6), data=st.data(), other=st.none() | st.sampled_from(SPELLINGS)
)
def test_a_signed_query_keeps_its_meaning(
    rows: list[tuple[bytes, ...]], data: st.DataObject, other: tuple[bytes, ...] | None
) -> None:
    """A respelled query is accepted exactly if operations parse the same parameters from it."""
    query = b"".join(data.draw(st.sampled_from(row)) for row in rows)
    if other is not None and rows:
        rows = data.draw(st.permutations([other, *rows[1:]]))
    arrived = b"".join(data.draw(st.sampled_from(row)) for row in rows)
    request = signed(target=f"/jobs?{urlencode(_read(query), quote_via=quote, safe='~')}")
    is_same = Counter(_read(query)) == Counter(_read(arrived))
    if is_same:
        assert ACCESS_KEY_ID == signer(replace(request, query_string=arrived))
    else:
        assert (InvalidSignatureException, MISMATCH) == refused(replace(request, query_string=arrived))


# Spellings of one character, in a segment of a path, a row each.
PATH_SPELLINGS = (
    (b"a", b"%61"),
    (b":", b"%3A", b"%3a"),
    (b"+", b"%2B", b"%2b"),
    (b"%20", b" "),
    (b"~", b"%7E"),
    (b"%2F", b"%2f"),
    (b"%3F", b"%3f"),
    (b"\xe9", b"%E9", b"%e9"),
    (b"%C3%A9", b"\xc3\xa9"),
    (b"%C3",),
    (b"\xa9",),
    (b"%", b"%25"),
    (b"3A",),
)


@given(
    rows=st.lists(st.sampled_from(PATH_SPELLINGS), min_size=1, max_size=6),
    data=st.data(),
    other=st.none() | st.sampled_from(PATH_SPELLINGS),
)
def test_a_signed_path_keeps_its_meaning(
    rows: list[tuple[bytes, ...]], data: st.DataObject, other: tuple[bytes, ...] | None
) -> None:
    """A path that a proxy respelled is accepted exactly if it has the same names."""
    name = unquote_to_bytes(b"".join(data.draw(st.sampled_from(row)) for row in rows))
    if other is not None:
        rows = data.draw(st.permutations([other, *rows[1:]]))
    arrived = b"".join(data.draw(st.sampled_from(row)) for row in rows)
    request = replace(signed(target=f"/things/{quote(name, safe='')}/jobs"), path=b"/things/%s/jobs" % arrived)
    if name == unquote_to_bytes(arrived):
        assert ACCESS_KEY_ID == signer(request)
    else:
        assert (InvalidSignatureException, MISMATCH) == refused(request)


def _read(query: bytes) -> list[tuple[str, str]]:
    """Return a query as operations parse it."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def _scoped(**parts: str) -> SignedRequest:
    """Return a request that claims another scope than it was signed for."""
    request = signed()
    today = header(request, "x-amz-date")[:8]
    scope = {"date": today, "region": REGION, "service": "iot", "terminator": "aws4_request"}
    claimed = "/".join((scope | parts).values())
    return authorized(request, "/".join(scope.values()), claimed)


@pytest.mark.parametrize("service", ["iot", "iot-jobs-data"])
def test_the_service_that_is_signed_for_can_be_read(service: str) -> None:
    """The service is read even from a wrong signature, as keys may not be required; without one it is None."""
    request = signed(service=service)
    assert ACCESS_KEY_ID == signer(request)
    assert service == signed_service(request.headers)
    assert service == signed_service(with_part(request, "host", "elsewhere").headers)
    for value in (None, "Bearer iot/iot/iot/iot-jobs-data/x", "AWS4-HMAC-SHA256 Credential=a/b", "AWS4-HMAC-SHA256"):
        assert signed_service(with_part(request, "authorization", value).headers) is None


def test_a_signature_is_for_one_region_and_one_service() -> None:
    """Every part of the scope is checked, and all problems are reported."""
    region = "Credential should be scoped to a valid Region, not 'us-east-1'."
    service = "Credential should be scoped to correct service: 'iot' or 'iot-jobs-data'."
    terminator = "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'."
    assert (InvalidSignatureException, region) == refused(signed(region="us-east-1"))
    assert (InvalidSignatureException, service) == refused(signed(service="iotdata"))
    assert (InvalidSignatureException, terminator) == refused(_scoped(terminator="aws5"))
    both = f"{region} {service}"
    assert (InvalidSignatureException, both) == refused(signed(region="us-east-1", service="s3"))
    assert (InvalidSignatureException, MISMATCH) == refused(authorized(signed(region="us-east-1"), "us-east-1", REGION))


def test_the_scope_is_of_the_day_of_the_time() -> None:
    """A signing key is valid only on its own day."""
    request = _scoped(date="20150830")
    time = header(request, "x-amz-date")
    expected = (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        f"'20150830' != '{time[:8]}', from '{time}'."
    )
    assert (InvalidSignatureException, expected) == refused(request)


@pytest.mark.parametrize("is_dated", [False, True])
def test_a_signature_holds_for_five_minutes_either_way(*, is_dated: bool) -> None:
    """Clocks may differ, and a request may take a while."""
    request = signed(headers=(("Date", ""),) if is_dated else ())
    form = "%a, %d %b %Y %H:%M:%S -0000" if is_dated else BASIC
    time = datetime.strptime(header(request, "date" if is_dated else "x-amz-date"), form).replace(tzinfo=UTC)
    assert ACCESS_KEY_ID == signer(request, now=time + SKEW)
    assert ACCESS_KEY_ID == signer(request, now=time - SKEW)

    late, early = time + SKEW + timedelta(seconds=1), time - SKEW - timedelta(seconds=1)
    expired = f"Signature expired: {time:{BASIC}} is now earlier than {late - SKEW:{BASIC}} ({late:{BASIC}} - 5 min.)"
    future = (
        f"Signature not yet current: {time:{BASIC}} is still later than {early + SKEW:{BASIC}} "
        f"({early:{BASIC}} + 5 min.)"
    )
    assert (InvalidSignatureException, expired) == refused(request, now=late)
    assert (InvalidSignatureException, future) == refused(request, now=early)


def test_what_is_not_signed_is_refused() -> None:
    """A request without an Authorization header is refused before any other check."""
    request = with_part(with_part(signed(), "authorization", None), "x-amz-date", None)
    assert (MissingAuthenticationTokenException, "Missing Authentication Token") == refused(request)


NO_CREDENTIAL = "Authorization header requires 'Credential' parameter."
NO_SIGNATURE = "Authorization header requires 'Signature' parameter."
NO_SIGNED_HEADERS = "Authorization header requires 'SignedHeaders' parameter."
NO_DATE = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
NO_SCOPE = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("", f"{NO_CREDENTIAL} {NO_SIGNATURE} {NO_SIGNED_HEADERS}"),
        ("AWS4-HMAC-SHA256", f"{NO_CREDENTIAL} {NO_SIGNATURE} {NO_SIGNED_HEADERS}"),
        ("AWS4-HMAC-SHA256 Credential, Signature", f"{NO_CREDENTIAL} {NO_SIGNATURE} {NO_SIGNED_HEADERS}"),
        (
            "Basic Credential=a/b/c/d/e,SignedHeaders=host,Signature=x",
            f"{NO_CREDENTIAL} {NO_SIGNATURE} {NO_SIGNED_HEADERS}",
        ),
        ("AWS4-HMAC-SHA256 SignedHeaders=host,Signature=x", NO_CREDENTIAL),
        ("AWS4-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=x", NO_CREDENTIAL),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host", NO_SIGNATURE),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,Signature=x", NO_SIGNED_HEADERS),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d,SignedHeaders=host,Signature=x", NO_SCOPE),
        (f"AWS4-HMAC-SHA256 Credential={SECRET}/b/c/d/e,SignedHeaders=host,Signature=x", NO_SCOPE),
        (
            "AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=x",
            "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.",
        ),
    ],
)
def test_what_is_missing_of_a_signature_is_told(authorization: str, expected: str) -> None:
    """Each missing part is named; received parts are not shown, as they may be misplaced secrets."""
    assert (IncompleteSignatureException, expected) == refused(with_part(signed(), "authorization", authorization))


@pytest.mark.parametrize("space", ["\xa0", "\x85", "\x1c", "\v", "\f"])
def test_only_spaces_of_http_stand_around_a_signature(space: str) -> None:
    """Code that only looks at the scheme must see the same header as the verification."""
    authorization = header(signed(), "authorization")
    for outer in (" ", "\t", " \t "):
        assert ACCESS_KEY_ID == signer(with_part(signed(), "authorization", f"{outer}{authorization}{outer}"))
    expected = (IncompleteSignatureException, f"{NO_CREDENTIAL} {NO_SIGNATURE} {NO_SIGNED_HEADERS}")
    assert expected == refused(with_part(signed(), "authorization", f"{space}{authorization}"))
    assert (InvalidSignatureException, MISMATCH) == refused(
        with_part(signed(), "authorization", f"{authorization}{space}")
    )


def test_a_signature_needs_a_time() -> None:
    """The time is in X-Amz-Date or in Date; X-Amz-Date wins."""
    assert (IncompleteSignatureException, NO_DATE) == refused(with_part(signed(), "x-amz-date", None))
    request = with_part(signed(), "date", "Sun, 30 Aug 2015 12:36:00 GMT")
    assert ACCESS_KEY_ID == signer(request)


@pytest.mark.parametrize(
    "time",
    [
        "tomorrow",
        "20261324T000000Z",
        "20261124T240000Z",
        "20261124T000060Z",
        "00000101T000000Z",
        "20261124T000000",
        "20261124T000000+0000",
        "2026-11-24T00:00:00Z",
        "\xb2\xb0261124T000000Z",
        "20261124T000000Z,20261124T000000Z",
        "Tue, 31 Feb 2026 00:00:00 GMT",
        "Tue, 24 Nov 2026 00:00:00 +0100",
        "Tue, 24 Nix 2026 00:00:00 GMT",
        "9" * 50,
    ],
)
@pytest.mark.parametrize("name", ["x-amz-date", "date"])
def test_what_is_no_time_is_refused(name: str, time: str) -> None:
    """A time has AWS's or HTTP's format and exists in the calendar."""
    request = with_part(with_part(signed(), "x-amz-date", None), name, time)
    expected = f"Date must be in ISO-8601 'basic format'. Got {time!r}."
    assert (IncompleteSignatureException, expected) == refused(request)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("00010101T000000Z", "Signature expired: "),
        ("Mon, 01 Jan 0001 00:00:00 GMT", "Signature expired: "),
        ("99991231T235959Z", "Signature not yet current: 99991231T235959Z is still later than "),
    ],
)
def test_absurd_times_are_refused(time: str, expected: str) -> None:
    """The first and the last possible times are refused like other wrong times."""
    request = _scoped(date="99991231" if time.startswith("9") else "00010101")
    error, message = refused(with_part(request, "x-amz-date", time))
    assert InvalidSignatureException is error
    assert message.startswith(expected)


def test_a_key_that_is_unknown_is_refused() -> None:
    """An unknown key has the same error as a session token, which belongs to AWS's own keys."""
    expected = (UnrecognizedClientException, "The security token included in the request is invalid.")
    assert expected == refused(authorized(signed(), ACCESS_KEY_ID, "AKIDUNKNOWN"))
    assert expected == refused(signed(session_token="token"))
    assert expected == refused(with_part(signed(), "x-amz-security-token", ""))
    assert expected == refused(Caller(session_token="token").request("list_jobs"))


def test_a_body_is_signed_whole() -> None:
    """A digest header must match the body; an unsigned or chunked body is refused."""
    digest = sha256(b"{}").hexdigest()
    assert ACCESS_KEY_ID == signer(signed("PUT", headers=(("X-Amz-Content-SHA256", digest),), body=b"{}"))
    expected = "The provided 'x-amz-content-sha256' header does not match what was computed."
    for sent in ("UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", digest.upper(), sha256(b"").hexdigest()):
        request = signed("PUT", headers=(("X-Amz-Content-SHA256", sent),), body=b"{}")
        assert (InvalidSignatureException, expected) == refused(request)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("x-amz-date", "'Host' must be a 'SignedHeader' in the AWS Authorization."),
        ("host;x-amz-date;x-gone", "The signed header 'x-gone' is not in the request."),
        ("host;;x-amz-date", "The signed header '' is not in the request."),
        ("Host;host;x-amz-date", "The signed header 'Host' is not in the request."),
    ],
)
def test_signed_headers_are_there(names: str, expected: str) -> None:
    """The host must be signed, and every signed header must be in the request."""
    request = authorized(signed(), "host;x-amz-date", names)
    assert (InvalidSignatureException, expected) == refused(request)


def test_a_request_without_its_host_is_refused() -> None:
    """HTTP/1.0 allows a request without a host."""
    expected = "The signed header 'host' is not in the request."
    assert (InvalidSignatureException, expected) == refused(with_part(signed(), "host", None))


@pytest.mark.parametrize(
    ("asked", "path", "is_accepted"),
    [
        ("http://example.org/iot", b"/jobs", True),
        ("http://example.org", b"/jobs", True),
        ("http://inner:8080", b"/jobs", True),
        ("http://example.org/iot", b"/iot/jobs", True),
        ("http://inner:8080/iot", b"/jobs", False),
        ("http://example.org/other", b"/jobs", False),
        ("http://example.org:81/iot", b"/jobs", False),
        ("http://other.example/iot", b"/jobs", False),
    ],
)
def test_a_proxy_may_have_a_host_and_a_base_path(asked: str, path: bytes, *, is_accepted: bool) -> None:
    """A client signs the public host and path; the service receives another host and the path's end."""
    request = replace(Caller(asked).request("list_jobs", maxResults=5), path=path)
    request = with_part(request, "host", "inner:8080")
    if is_accepted:
        assert ACCESS_KEY_ID == signer(request, public=PUBLIC)
    else:
        with pytest.raises(InvalidSignatureException):
            signer(request, public=PUBLIC)
    if asked != "http://inner:8080":
        assert (InvalidSignatureException, MISMATCH) == refused(request)


@pytest.mark.parametrize("path", [b"/things/a:b/jobs", b"/things/a%3ab/jobs", b"/iot/things/a%3Ab/jobs"])
def test_a_proxy_may_spell_a_path_anew_and_have_a_base_path(path: bytes) -> None:
    """A proxy may do both at once, as nginx does."""
    sent = Caller("http://example.org/iot").request("list_job_executions_for_thing", thingName="a:b")
    request = with_part(replace(sent, path=path), "host", "inner:8080")
    assert ACCESS_KEY_ID == signer(request, public=PUBLIC)


@given(data=st.data())
def test_nothing_that_arrives_breaks_it(data: st.DataObject) -> None:
    """Any random request raises one of four errors."""
    today = datetime.now(UTC)
    scraps = st.sampled_from(
        [
            "AWS4-HMAC-SHA256 ",
            f"Credential={ACCESS_KEY_ID}/{today:%Y%m%d}/{REGION}/iot/aws4_request",
            "Credential=",
            ",",
            "SignedHeaders=host",
            ";",
            "Signature=",
            "\xff",
            "/",
            "\u0660".encode().decode("latin-1"),
        ]
    )
    authorization = "".join(data.draw(st.lists(scraps, max_size=10)))
    times = st.sampled_from([f"{today:%Y%m%dT%H%M%SZ}", "00000000T000000Z", "99991231T235959Z", ""]) | st.text(
        st.characters(max_codepoint=255), max_size=16
    )
    names = st.sampled_from([b"host", b"date", b"x-amz-content-sha256", b"x-amz-security-token"]) | st.binary()
    request = SignedRequest(
        method=data.draw(st.sampled_from(["GET", "\ud800"]) | st.text(max_size=5)),
        path=data.draw(st.binary()),
        query_string=data.draw(st.binary()),
        headers=[
            *data.draw(st.lists(st.tuples(names, st.binary()), max_size=4)),
            (b"host", b"h"),
            (b"x-amz-date", data.draw(times).encode("latin-1")),
            (b"authorization", authorization.encode("latin-1")),
        ],
        body=b"",
    )
    refused(request)


@pytest.mark.parametrize(
    ("names", "headers", "path", "query"),
    [
        ("host" + ";a" * 30_000, [(b"a", b"x" * 60_000)], b"/", b""),
        ("host;" + ";".join(map(str, range(9_999))), [(b"%d" % number, b"") for number in range(9_999)], b"/", b""),
        ("host;a", [(b"a", b"1")] * 9_999, b"/", b""),
        ("host" + "," * 60_000, [], b"/", b""),
        ("host", [], b"/.." * 20_000 + b"/a" * 20_000, b""),
        ("host", [], b"/", b"%ff=%c3&\xff&" * 5_000),
    ],
    ids=["a name again and again", "many names", "a header again and again", "commas", "a long path", "a long query"],
)
def test_hostile_requests_cost_little(
    names: str, headers: list[tuple[bytes, bytes]], path: bytes, query: bytes
) -> None:
    """The time is linear in the length of a request, not quadratic."""
    request = authorized(signed(), "host;x-amz-date", names)
    request = replace(request, path=path, query_string=query, headers=[*request.headers, *headers])
    start = process_time()
    assert (InvalidSignatureException, MISMATCH) == refused(request)
    assert process_time() - start < 2


@pytest.mark.parametrize("error", ERRORS)
def test_the_errors_of_signatures_are_answers(error: type[JobindexError]) -> None:
    """The response has status code 403 and AWS's name of the error."""
    answer = refusal(error("why"))
    assert (403, error.__name__) == (answer.status_code, answer.headers["x-amzn-errortype"])
    assert {"message": "why"} == json.loads(bytes(answer.body))
