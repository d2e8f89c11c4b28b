"""The pages in a real browser, with a real service and broker."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from support.api_server import Api, serving
from support.brokers import Broker, Message, mosquitto, publish
from support.services import Service, running
from support.sync_checks import check
from support.waiting import require, wait_until

from jobindex.access.access import Access
from jobindex.access.keys import Key, Keys, digest
from jobindex.access.principals import Principal, Role
from jobindex.access.signatures import PublicUrl
from jobindex.cli.demo.nats import free_port
from jobindex.monitoring.state import SyncStatus

require("playwright", found=find_spec("playwright") is not None and find_spec("axe_playwright_python") is not None)

from axe_playwright_python.sync_playwright import Axe  # noqa: E402 (behind the check that they are installed)
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright  # noqa: E402

PAGES = {
    "namespaces": "/ui/",
    "jobs": "/ui/jobs",
    "found": "/ui/jobs?namespaceId=acme&status=IN_PROGRESS",
    "job": "/ui/jobs/rollout",
    "things": "/ui/things",
    "thing": "/ui/things/pump-1",
    "stuck": "/ui/stuck",
    "rejected": "/ui/rejected",
    "message": "/ui/rejected/1",
    "binary": "/ui/rejected/2",
    "reconciliation": "/ui/reconciliation",
}
REFUSED = {"unknown": "/ui/jobs/unknown", "unheard": "/ui/things/unheard", "invalid": "/ui/jobs?status=none"}
WIDTHS = {"wide": 1280, "narrow": 375}
OTHER_WIDTHS = (320, 800, 1000)
LONG = "a-name-as-long-as-can-be-" + 103 * "m"
SECONDS = int(datetime.now(UTC).timestamp())

# Runs before the page's scripts: logs violations of the Content-Security-Policy to the console.
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error("CSP", event.violatedDirective, event.blockedURI));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A broker, a service connected to it, and a browser."""

    broker: Broker
    service: Service
    browser: Browser


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run all of them for this module, with a small fleet in the index."""
    program = _chromium()
    require("chromium", found=program is not None)
    directory = tmp_path_factory.mktemp("site")
    with mosquitto(directory) as broker:
        settings = {"MQTT_URL": f"mqtt://127.0.0.1:{broker.port}", "HTTP_PORT": str(free_port())}
        with running(Service(directory, **settings)) as service, sync_playwright() as playwright:
            publish(broker.port, list(_fleet()))
            wait_until(lambda: len(service.jobs()) == 125, "the fleet")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            yield Site(broker=broker, service=service, browser=browser)
            browser.close()


def _fleet() -> Iterator[Message]:
    """Yield the messages of two namespaces, a rollout in progress and partly stuck, and two malformed messages."""
    for number in range(120):
        job = {"createdAt": SECONDS - 10 * number, "targetSelection": "SNAPSHOT"} | (
            {"status": "COMPLETED"} if number % 3 else {}
        )
        namespace = "acme" if number % 2 else "other"
        yield f"$aws/things/pump-9/jobs/job-{number:03}/notify-namespace-{namespace}", json.dumps({"job": job})
    yield f"$aws/things/{LONG}/jobs/{LONG[:64]}/notify-namespace-{LONG}", '{"execution": {"status": "QUEUED"}}'
    for number, status in enumerate(("QUEUED", "IN_PROGRESS", "QUEUED")):
        listed = {
            "jobId": "rollout",
            "queuedAt": SECONDS - 9000 + 60 * number,
            "executionNumber": 1,
            "versionNumber": 1,
        }
        topic = f"$aws/things/pump-{number}/jobs/notify-namespace-acme"
        yield topic, json.dumps({"timestamp": SECONDS, "jobs": {status: [listed]}})
    for number, operation in enumerate(("succeeded", "succeeded", "failed", "timed_out", "rejected"), start=3):
        arn = f"arn:aws:iot:us-east-1:000000000000:thing/pump-{number}"
        event = {"operation": operation, "jobId": "rollout", "thingArn": arn, "timestamp": SECONDS}
        yield f"$aws/events/jobExecution/rollout/{operation}", json.dumps(event)
    for status in ("CANCELED", "DELETION_IN_PROGRESS", "SCHEDULED"):
        yield f"$aws/things/pump-9/jobs/{status}/notify-namespace-acme", json.dumps({"job": {"status": status}})
    yield "$aws/things/pump-1/jobs/notify", '{"jobs": "none"}'
    yield "$aws/things/pump-1/jobs/notify", b"\xff\xfe\x00"


@contextmanager
def opened(site: Site, *, url: str | None = None, **options: Any) -> Iterator[Page]:
    """Open a page of the site's service or of another URL; fail if it logs a problem or requests another origin."""
    url = url or site.service.url
    context: BrowserContext = site.browser.new_context(base_url=url, **options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: _check_origin(url, request.url, problems))
    if options.get("java_script_enabled", True):
        page.add_init_script(_TELL_VIOLATIONS)
    try:
        yield page
        assert not problems
    finally:
        context.close()


def _check_origin(own: str, url: str, problems: list[str]) -> None:
    if urlsplit(url).scheme != "data" and not url.startswith(own + "/"):
        problems.append(f"asked elsewhere: {url}")


def ids(page: Page) -> list[str]:
    """Return the first column of the table."""
    return page.locator("tbody th").all_inner_texts()


def tell(site: Site, job_id: str, payload: str = "{}") -> None:
    """Publish a message about a job of `acme`."""
    publish(site.broker.port, [(f"$aws/things/pump-1/jobs/{job_id}/notify-namespace-acme", payload)])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_whole_in(site: Site, scheme: Literal["light", "dark"], tmp_path: Path) -> None:
    """A page has no console error and no serious axe violation; screenshots are saved for inspection."""
    pictures = Path(os.environ.get("JOBINDEX_TEST_SCREENSHOTS") or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    axe = Axe()
    with opened(site, color_scheme=scheme, reduced_motion="reduce") as page:
        for name, path in PAGES.items():
            page.goto(path)
            expect(page.locator("#live-state")).to_have_text("Live")
            for width_name, width in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": 800})
                page.screenshot(path=pictures / f"{name}-{scheme}-{width_name}.png", full_page=True)
                if width_name == "wide" or name in {"jobs", "namespaces"}:
                    assert [] == _serious(axe, page), name


def test_nothing_is_scrolled_sideways(site: Site) -> None:
    """No page scrolls sideways at any screen width, however long the names are."""
    with opened(site) as page:
        long = {"long thing": f"/ui/things/{LONG}", "long job": f"/ui/jobs/{LONG[:64]}"}
        for name, path in {**PAGES, **long}.items():
            page.goto(path)
            for width in (*WIDTHS.values(), *OTHER_WIDTHS):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)


def test_pages_that_refuse_are_whole_too(site: Site) -> None:
    """An error page has no serious axe violation."""
    axe = Axe()
    context = site.browser.new_context(base_url=site.service.url)
    page = context.new_page()
    for path in REFUSED.values():
        page.goto(path)
        assert [] == _serious(axe, page)
    context.close()


def _serious(axe: Axe, page: Page) -> list[str]:
    violations = axe.run(page).response["violations"]
    return [
        f"{violation['id']}: {[node['html'] for node in violation['nodes']]}"
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("has_script", [True, False])
def test_jobs_are_filtered_paged_and_opened(site: Site, has_script: bool) -> None:  # noqa: FBT001
    """With and without JavaScript, a filter is in the URL, page links lead forward and back, and a job opens."""
    with opened(site, java_script_enabled=has_script) as page:
        page.goto("/ui/")
        page.get_by_role("link", name="Jobs", exact=True).click()
        page.get_by_label("Namespace").fill("other")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/ui/jobs?namespaceId=other")
        first = ids(page)
        assert ["job-000", "job-002"] == first[:2]
        page.get_by_role("link", name="Next").click()
        page.wait_for_url("**after=*")
        assert ["job-100", "job-102"] == ids(page)[:2]
        page.get_by_role("link", name="Previous").click()
        page.wait_for_url("**before=*")
        assert first == ids(page)
        page.get_by_label("Status").select_option("COMPLETED")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/ui/jobs?namespaceId=other&status=COMPLETED")
        assert ["job-002", "job-004"] == ids(page)[:2]
        page.get_by_role("link", name="job-004").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("job-004")
        expect(page.locator("#job")).to_contain_text("A message reported this status.")


def test_every_page_works_without_javascript(site: Site) -> None:
    """Without JavaScript, controls that need a script are hidden; all other forms and links work."""
    with opened(site, java_script_enabled=False) as page:
        for name, path in PAGES.items():
            page.goto(path)
            assert page.locator("main h1").is_visible(), name
            assert not page.locator("#theme, #live").locator("visible=true").count()
        page.goto("/ui/things")
        page.get_by_label("Name begins with").fill("pump-1")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="pump-1").click()
        page.get_by_label("State").select_option("IN_PROGRESS")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/ui/things/pump-1?state=IN_PROGRESS")
        assert ["rollout"] == ids(page)
        page.get_by_role("link", name="Stuck").click()
        page.get_by_label("Waiting longer than").fill("1d")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#list")).to_contain_text("No stuck executions")


def test_a_job_appears_without_reload(site: Site) -> None:
    """A new job appears within two seconds of its message; the focus stays, and the update is announced."""
    with opened(site) as page:
        page.goto("/ui/jobs")
        expect(page.locator("#live-state")).to_have_text("Live")
        page.evaluate("window.isSame = true")
        page.locator("#job-job-005").focus()
        tell(site, "appears")
        told_at = monotonic()
        expect(page.locator("#job-appears")).to_be_visible(timeout=2000)
        assert monotonic() - told_at < 2
        assert page.evaluate("window.isSame")
        assert "job-job-005" == page.evaluate("document.activeElement.id")
        expect(page.locator("#announcement")).to_contain_text("Updated at")
        page.goto("/ui/jobs/appears")
        expect(page.locator("#job")).to_contain_text("In progress")
        expect(page.locator("#live-state")).to_have_text("Live")
        tell(site, "appears", '{"status": "CANCELED"}')
        expect(page.locator("#job .badge")).to_have_text("Canceled", timeout=2000)
        expect(page.locator("#history")).to_contain_text("In progress → Canceled")


def test_a_thing_appears_on_its_own_page(site: Site) -> None:
    """A thing appears on its page even if it was unknown when the page was opened."""
    context = site.browser.new_context(base_url=site.service.url)
    page = context.new_page()
    page.goto("/ui/things/pump-new")
    expect(page.locator("#gone")).to_contain_text("No such thing")
    expect(page.locator("#live-state")).to_have_text("Live")
    pending = {"jobId": "rollout", "queuedAt": SECONDS, "executionNumber": 1, "versionNumber": 1}
    listed = {"timestamp": SECONDS, "jobs": {"QUEUED": [pending]}}
    publish(site.broker.port, [("$aws/things/pump-new/jobs/notify-namespace-acme", json.dumps(listed))])
    expect(page.locator("#executions")).to_contain_text("rollout", timeout=2000)
    context.close()


def asked_for(page: Page) -> list[str]:
    """Return a list to which each request for a section of the page is added."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "fragment=" in request.url else None)
    return asked


def test_a_change_makes_one_question(site: Site) -> None:
    """A page makes one request after a change, because the first answer already contains the change."""
    with opened(site) as page:
        asked = asked_for(page)
        with page.expect_response(lambda answer: "fragment=list" in answer.url):
            page.goto("/ui/jobs")
        assert 1 == len(asked)
        tell(site, "once")
        expect(page.locator("#job-once")).to_be_visible(timeout=2000)
        page.wait_for_function("from => performance.now() > from + 1500", arg=page.evaluate("performance.now()"))
        assert 2 == len(asked)


def test_a_change_before_the_first_connection_shows_up(site: Site) -> None:
    """A page requests its list when it connects, so it misses no change made since it was rendered."""

    def hold(route: Route) -> None:
        tell(site, "between")
        wait_until(lambda: "between" in site.service.jobs(), "the job in the index")
        route.continue_()

    wait_until(lambda: site.service.metric("live_watchers") == 0, "the end of former pages", 30)
    with opened(site) as page:
        page.route("**/index/events*", hold)
        page.goto("/ui/jobs")
        expect(page.locator("#job-between")).to_be_visible()


@pytest.mark.parametrize("is_away", [False, True])
def test_what_could_not_be_answered_is_asked_again(site: Site, is_away: bool) -> None:  # noqa: FBT001
    """A request that fails with a 502 or without an answer is repeated, while the event stream may stay open."""
    failures = iter(range(2))

    def answer(route: Route) -> None:
        if next(failures, None) is None:
            route.continue_()
        elif is_away:
            route.abort()
        else:
            route.fulfill(status=502, body="<p>Bad Gateway</p>", content_type="text/html")

    context = site.browser.new_context(base_url=site.service.url)
    page = context.new_page()
    with page.expect_response(lambda answer: "fragment=list" in answer.url):
        page.goto("/ui/jobs")
    page.route("**/ui/jobs?fragment=*", answer)
    job_id = f"late-{is_away}"
    tell(site, job_id)
    expect(page.locator(f"#job-{job_id}")).to_be_visible(timeout=15_000)
    context.close()


def test_marked_text_stays_and_is_not_asked_for(site: Site) -> None:
    """A section with selected text is neither updated nor requested until the selection is gone."""
    with opened(site) as page:
        page.clock.install()
        page.goto("/ui/jobs")
        expect(page.locator("#live-state")).to_have_text("Live")
        for _ in range(3):
            _pass(page)
        page.evaluate("getSelection().selectAllChildren(document.querySelector('#list caption'))")
        asked = asked_for(page)
        page.evaluate(_WATCH, "marked")
        tell(site, "marked")
        page.evaluate("isTold")
        for _ in range(5):
            _pass(page)
        assert len(asked) <= 2, "the freshness, each ten seconds and with a change"
        expect(page.locator("#job-marked")).to_have_count(0)
        # The page's clock runs ahead of the service's, which may answer from its cache for a moment.
        wait_until(lambda: "job-marked" in page.evaluate(_LIST), "the service's own list")
        page.evaluate("getSelection().removeAllRanges()")
        for _ in range(2):
            _pass(page)
        expect(page.locator("#job-marked")).to_be_visible()


_WATCH = """jobId => {
  const source = new EventSource(`/index/events?jobId=${jobId}`);
  window.isTold = new Promise((resolve) => source.addEventListener("change", (event) => {
    if (JSON.parse(event.data).jobs?.includes(jobId)) resolve(true);
  }));
}"""


_LIST = "fetch('/ui/jobs?fragment=list', { headers: { accept: 'text/html' } }).then(answer => answer.text())"


def _pass(page: Page) -> None:
    """Advance the page's clock, and let its requests be answered."""
    page.clock.run_for(1500)
    page.evaluate("fetch('/healthz').then(answer => answer.text())")


def test_a_viewer_may_pause(site: Site) -> None:
    """A paused page does not change, even after a reload; when resumed, it shows the changes made meanwhile."""
    with opened(site) as page:
        page.goto("/ui/jobs")
        live = page.locator("#live")
        expect(live).to_have_text("Live")
        live.click()
        expect(live).to_have_text("Paused")
        page.reload()
        expect(live).to_have_text("Paused")
        expect(page.locator("#stale")).to_contain_text("Paused: this page shows the index as of ")
        with opened(site) as other:
            other.goto("/ui/jobs")
            expect(other.locator("#live-state")).to_have_text("Live")
            tell(site, "unseen")
            expect(other.locator("#job-unseen")).to_be_visible()
        expect(page.locator("#job-unseen")).to_have_count(0)
        live.click()
        expect(live).to_have_text("Live")
        expect(page.locator("#job-unseen")).to_be_visible()


def test_ages_grow(site: Site) -> None:
    """Ages grow on a paused page, in the service's wording."""
    with opened(site) as page:
        page.clock.install()
        page.goto("/ui/jobs/rollout")
        page.locator("#live").click()
        created = page.locator("#job time").first
        expect(created).to_have_text("2 h ago")
        for hours, expected in ((1, "3 h ago"), (44, "47 h ago"), (1, "2 d ago"), (24 * 1000, "1,002 d ago")):
            page.clock.fast_forward(hours * 3_600_000)
            expect(created).to_have_text(expected)


def test_a_theme_is_chosen_and_kept(site: Site) -> None:
    """A theme chosen by keyboard overrides the system's, and stays until another one is chosen."""
    with opened(site, color_scheme="light") as page:
        page.goto("/ui/")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to content")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.locator("#theme").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.locator("#theme-name")).to_have_text("dark")
        assert light != page.evaluate(ground)
        page.goto("/ui/jobs")
        assert light != page.evaluate(ground)
        page.locator("#theme").click()
        assert light == page.evaluate(ground)


def test_a_page_outlives_the_service(site: Site) -> None:
    """While the service is down, a page says that it is not live; afterwards it shows the changes that it missed."""
    context = site.browser.new_context(base_url=site.service.url)
    page = context.new_page()
    page.goto("/ui/jobs")
    expect(page.locator("#live-state")).to_have_text("Live")
    stale = page.locator("#stale")
    expect(stale).to_be_hidden()
    site.service.stop()
    try:
        expect(page.locator("#live-state")).to_have_text("Not live")
        expect(stale).to_contain_text("The service does not answer: this page shows the index as of ")
        expect(page.locator("#job-job-000")).to_be_visible()
    finally:
        site.service.start()
    tell(site, "missed")
    expect(page.locator("#live-state")).to_have_text("Live", timeout=15_000)
    expect(stale).to_be_hidden()
    expect(page.locator("#job-missed")).to_be_visible(timeout=10_000)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_progress_and_the_differences_of_a_sync_are_followed(
    site: Site, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    """They change on an open page, which has no serious axe violation and does not scroll sideways."""
    pictures = Path(os.environ.get("JOBINDEX_TEST_SCREENSHOTS") or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    filling = SyncStatus(mode="check", kind="fill", phase="jobs", done=1, total=4, rows=250, is_first=True)
    with serving(tmp_path) as api, opened(site, url=api.url, color_scheme=scheme, reduced_motion="reduce") as page:
        api.state.sync = filling
        page.goto("/ui/reconciliation")
        expect(page.locator("#progress")).to_contain_text("1 of 4")
        check(api, "job-1", LONG[:64])
        problems = ("events are off: job, jobExecution",)
        api.state.sync = replace(filling, done=3, rows=750, seconds_left=90, reason=LONG, problems=problems)
        # No event reports the progress; the page asks every ten seconds.
        expect(page.locator("#progress")).to_contain_text("3 of 4", timeout=20_000)
        expect(page.locator("#sync")).to_contain_text("750 rows, about 1 min left")
        expect(page.locator("#list tbody tr")).to_have_count(2)
        for name, width in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=pictures / f"syncing-{scheme}-{name}.png", full_page=True)
            assert [] == _serious(Axe(), page), name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[Api, Access]]:
    """Serve one job to clients that have a token."""
    principal = Principal(name="me", role=Role.READ, namespace_ids=None)
    key = Key(principal=principal, created_at=datetime.now(UTC), token_sha256=digest("a token"))
    access = Access(Keys([key]), public=PublicUrl(host="jobs.example", base_path="/iot"))
    with serving(tmp_path, access=access) as api:
        api.apply(("$aws/things/pump-1/jobs/job-1/notify-namespace-acme", {"job": {"status": "IN_PROGRESS"}}))
        yield api, access


@pytest.mark.parametrize("has_script", [True, False])
def test_one_signs_in_and_out(site: Site, closed: tuple[Api, Access], has_script: bool) -> None:  # noqa: FBT001
    """A user signs in, returns to the requested page and signs out, under a base path, with and without JavaScript."""
    with opened(site, url=closed[0].url, java_script_enabled=has_script) as page:
        page.goto("/iot/ui/jobs?prefix=job")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        if has_script:
            assert [] == _serious(Axe(), page)
        page.get_by_label("Token").fill("a token")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/iot/ui/jobs?prefix=job")
        page.get_by_role("link", name="job-1").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("job-1")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/iot/ui/sign-in")
        page.goto("/iot/ui/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_page_that_is_open_leads_to_the_form_once_its_session_ends(site: Site, closed: tuple[Api, Access]) -> None:
    """An open page whose session has ended leads to the sign-in form and shows no more jobs."""
    api, access = closed
    context = site.browser.new_context(base_url=api.url)
    page = context.new_page()
    page.clock.install()
    page.goto("/iot/ui/jobs")
    page.get_by_label("Token").fill("a token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="job-1")).to_be_visible()
    expect(page.locator("#live-state")).to_have_text("Live")  # the script has set its timers
    access.replace(Keys())
    page.clock.fast_forward(11_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    context.close()
