"""Signing in to the pages: a token becomes a session cookie, and forms of other sites are refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from support.api_server import Api, serving

from jobindex.access.access import COOKIE, Access
from jobindex.access.keys import Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.access.sessions import SESSION_SECONDS
from jobindex.access.signatures import PublicUrl

TOKEN = "jobindex_a-token"
ACME = "jobindex_acme"


def keys(*tokens: str) -> Keys:
    """Return keys with these tokens; that of ACME is limited to one namespace."""
    return Keys(
        Key(
            principal=Principal(
                name=token, role=Role.READ, namespace_ids=frozenset({"acme"}) if token == ACME else None
            ),
            created_at=datetime.now(UTC),
            token_sha256=digest(token),
        )
        for token in tokens
    )


@pytest.fixture
def access() -> Access:
    """Require one of two keys."""
    return Access(keys(TOKEN, ACME))


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory, access: Access) -> Iterator[Api]:
    """Serve two jobs, each in its own namespace."""
    with serving(tmp_path_factory.mktemp("api"), access=access) as api:
        api.apply(("$aws/things/thing/jobs/job-1/notify-namespace-acme", {"job": {"status": "IN_PROGRESS"}}))
        api.apply(("$aws/things/thing/jobs/job-2/notify-namespace-other", {"job": {"status": "IN_PROGRESS"}}))
        yield api


def send(
    api: Api, method: str, path: str, headers: dict[str, str] | None = None, **form: str
) -> tuple[HTTPResponse, str]:
    """Return an answer and its body, without following redirects."""
    connection = HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    sent = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html", **(headers or {})}
    connection.request(method, path, body=urlencode(form) if method == "POST" else None, headers=sent)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def sign_in(api: Api, token: str = TOKEN) -> dict[str, str]:
    """Sign in, and return the cookie header of the session."""
    answer, _ = send(api, "POST", "/ui/sign-in", token=token)
    assert 303 == answer.status
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


def test_who_has_not_signed_in_is_led_there_and_back(api: Api) -> None:
    """A browser is redirected to the form, and then back to its page and query."""
    for path, following in (
        ("/", ""),
        ("/ui/", ""),
        ("/ui/jobs", "?next=%2Fui%2Fjobs"),
        ("/ui/jobs?prefix=a&status=x", "?next=%2Fui%2Fjobs%3Fprefix%3Da%26status%3Dx"),
        ("/ui/no-page", "?next=%2Fui%2Fno-page"),
    ):
        answer, _ = send(api, "GET", path)
        assert (303, f"/ui/sign-in{following}") == (answer.status, answer.headers["location"])
    answer, body = send(api, "GET", "/ui/sign-in?next=%2Fui%2Fjobs")
    assert 200 == answer.status
    assert '<input type="hidden" name="next" value="/ui/jobs">' in body
    answer, _ = send(api, "POST", "/ui/sign-in", token=f" {TOKEN} ", next="/ui/jobs?prefix=a")
    assert (303, "/ui/jobs?prefix=a") == (answer.status, answer.headers["location"])


def test_the_form_shows_nothing_of_the_index(api: Api) -> None:
    """The form has no navigation, freshness or script, so it reveals nothing of the index."""
    for body in (send(api, "GET", "/ui/sign-in")[1], send(api, "POST", "/ui/sign-in", token="wrong")[1]):
        assert "<title>Sign in · jobindex</title>" in body
        hidden = ("<nav", "<script", "data-events", 'id="status"', 'id="live"', 'id="stale"', "onnected")
        assert [] == [shown for shown in hidden if shown in body]


def test_what_is_no_page_is_refused_rather_than_led(api: Api) -> None:
    """Other requests get AWS's error, also one for a section after the session's end."""
    for method, path in (("GET", "/jobs"), ("GET", "/ui/?fragment=list"), ("POST", "/ui/jobs")):
        answer, _ = send(api, method, path)
        assert (403, "MissingAuthenticationTokenException") == (answer.status, answer.headers["x-amzn-errortype"])
    answer, _ = send(api, "GET", "/", {"accept": "application/json"})
    assert 403 == answer.status


def test_a_session_reads_pages_json_and_events(api: Api) -> None:
    """A session reads pages, JSON and events until it signs out."""
    session = sign_in(api)
    for path in ("/ui/", "/ui/jobs", "/jobs", "/index/namespaces", "/ui/rejected", "/metrics"):
        assert 200 == send(api, "GET", path, session)[0].status, path
    assert 200 == send(api, "HEAD", "/index/events", session)[0].status
    answer, _ = send(api, "POST", "/ui/sign-out", session)
    assert (303, "/ui/sign-in") == (answer.status, answer.headers["location"])
    assert f'{COOKIE}-{urlsplit(api.url).port}=""; ' in answer.headers["set-cookie"]
    assert 303 == send(api, "GET", "/ui/", session)[0].status
    assert 403 == send(api, "GET", "/jobs", session)[0].status


def test_a_session_sees_what_its_key_may(api: Api) -> None:
    """A session sees exactly the namespaces of its key."""
    body = send(api, "GET", "/ui/jobs", sign_in(api, ACME))[1]
    assert ("job-1" in body, "job-2" in body, "Rejected" in body) == (True, False, False)
    body = send(api, "GET", "/ui/jobs", sign_in(api))[1]
    assert ("job-1" in body, "job-2" in body, "Rejected" in body) == (True, True, True)


def test_a_session_changes_nothing(api: Api) -> None:
    """A session changes nothing, even with the header that changes require."""
    answer, _ = send(api, "DELETE", "/rejected?all=true", {**sign_in(api), "x-jobindex": "1"})
    assert (403, "MissingAuthenticationTokenException") == (answer.status, answer.headers["x-amzn-errortype"])


def test_the_cookie_is_out_of_reach(api: Api) -> None:
    """The cookie is not accessible to scripts and other sites."""
    answer, _ = send(api, "POST", "/ui/sign-in", token=TOKEN)
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    assert f"{COOKIE}-{urlsplit(api.url).port}" == name
    assert {"HttpOnly", f"Max-Age={SESSION_SECONDS}", "Path=/", "SameSite=lax"} == set(attributes.split("; ")[1:])
    assert "no-store" == answer.headers["cache-control"]


@pytest.mark.parametrize("origin", ["https://jobs.example", "https://jobs.example:8443", "http://127.0.0.1"])
def test_behind_a_proxy_the_cookie_goes_by_https(tmp_path: Path, origin: str) -> None:
    """Behind an HTTPS proxy the cookie is Secure, and forms are accepted only from the public URL."""
    public = PublicUrl(host="jobs.example", is_secure=True, base_path="/iot")
    with serving(tmp_path, access=Access(keys(TOKEN), public=public)) as api:
        answer, _ = send(api, "POST", "/ui/sign-in", {"origin": origin}, token=TOKEN, next="/ui/jobs")
        if origin != "https://jobs.example":
            assert 403 == answer.status
            return
        assert (303, "/iot/ui/jobs") == (answer.status, answer.headers["location"])
        assert {"Secure", "Path=/iot"} <= set(answer.headers["set-cookie"].split("; "))


def test_a_wrong_token_signs_nobody_in(api: Api) -> None:
    """A wrong token gets an error page, which keeps the requested address."""
    for token in ("wrong", "", digest(TOKEN)):
        answer, body = send(api, "POST", "/ui/sign-in", token=token, next="/ui/jobs")
        assert 403 == answer.status
        assert answer.headers["set-cookie"] is None
        assert "No key has this token." in body
        assert 'value="/ui/jobs"' in body
        assert TOKEN not in body


@pytest.mark.parametrize(
    "following",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "/jobs", "/ui", "javascript:x", "/ui/\r\nx: y", ""],
)
def test_signing_in_leads_to_pages_alone(api: Api, following: str) -> None:
    """A sign-in redirects only to pages, whichever address a link contains."""
    answer, _ = send(api, "POST", "/ui/sign-in", token=TOKEN, next=following)
    assert (303, "/ui/") == (answer.status, answer.headers["location"])


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://[127.0.0.1:8080"},
        {"origin": ""},
    ],
)
def test_forms_from_elsewhere_are_refused(api: Api, headers: dict[str, str]) -> None:
    """A form of another site neither signs in nor signs out."""
    session = sign_in(api)
    for path in ("/ui/sign-in", "/ui/sign-out"):
        answer, body = send(api, "POST", path, {**session, **headers}, token=TOKEN)
        assert 403 == answer.status
        assert answer.headers["set-cookie"] is None
        assert "This form was sent by another site." in body
    assert 200 == send(api, "GET", "/ui/", session)[0].status
    own = {"origin": api.url}
    assert 303 == send(api, "POST", "/ui/sign-in", own, token=TOKEN)[0].status


def test_revoked_keys_end_sessions(api: Api, access: Access) -> None:
    """A revoked key ends its sessions at once."""
    session = sign_in(api)
    access.replace(keys(ACME))
    assert 303 == send(api, "GET", "/ui/", session)[0].status


def test_without_keys_nobody_signs_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The form redirects to the pages, which say that access is open."""
    with serving(tmp_path_factory.mktemp("api")) as api:
        answer, _ = send(api, "GET", "/ui/sign-in")
        assert (303, "/ui/") == (answer.status, answer.headers["location"])
        body = send(api, "GET", "/ui/")[1]
        assert "Open access: no key is required" in body
        assert "Sign out" not in body


def test_a_host_of_another_name_is_refused(api: Api) -> None:
    """The check prevents DNS rebinding; localhost and IP addresses are accepted."""
    session = sign_in(api)
    for path in ("/ui/", "/jobs", "/healthz", "/ui/sign-in"):
        answer, body = send(api, "GET", path, {**session, "host": "evil.example"})
        assert 403 == answer.status
        assert path.startswith("/ui/") or "AccessDeniedException" == answer.headers["x-amzn-errortype"]
        assert "Unknown host 'evil.example'" in unescape(body)
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1", "10.1.2.3:80", "[::1]:8080", "[fe80::1]", "localhost."):
        assert 200 == send(api, "GET", "/ui/", {**session, "host": host})[0].status, host
    for host in ("", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1:x", "a@localhost", "[::1", "1"):
        assert 403 == send(api, "GET", "/ui/", {**session, "host": host})[0].status, host
