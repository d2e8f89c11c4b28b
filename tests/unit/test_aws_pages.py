"""Listings of AWS page by page, whatever AWS does with their tokens."""

from typing import Any

from jobindex.aws.answers import AwsAnswer
from jobindex.aws.budget import Budget
from jobindex.aws.caller import Caller
from jobindex.aws.pages import RESTARTS_MAXIMUM, Listing, PagePosition
from jobindex.errors import AwsInvalidError


class _Client:
    """Answers each token with the next one; an unknown token is refused."""

    def __init__(self, following: dict[str | None, str | None]) -> None:
        self._following = following
        self.calls: list[dict[str, Any]] = []

    async def call(self, operation: str, **parameters: Any) -> AwsAnswer:
        self.calls.append(parameters)
        token = parameters["nextToken"]
        if token not in self._following:
            raise AwsInvalidError(f"{operation}: InvalidRequestException: Invalid token: {token}")
        return AwsAnswer(members={"nextToken": self._following[token]}, answered_at=0, as_of=0)


def _listing(client: _Client) -> Listing:
    caller = Caller(client, Budget({"": 100_000}), note=lambda *_: None, on_waiting=lambda _: None)
    return Listing(caller, "ListJobs")


async def _read_all(listing: Listing, **parameters: Any) -> tuple[int, list[str]]:
    """Return the number of pages with an answer, and the problems."""
    pages, problems = 0, list[str]()
    position: PagePosition | None = {}
    while position is not None:
        page = await listing.read(position, **parameters)
        pages += page.answer is not None
        problems += page.problems
        position = page.following
    return pages, problems


async def test_a_listing_ends_with_its_last_token() -> None:
    """Each page is read with the token of the one before, and the same parameters."""
    client = _Client({None: "a", "a": "b", "b": None})
    assert await _read_all(_listing(client), status="QUEUED", maxResults=250) == (3, [])
    assert [call["nextToken"] for call in client.calls] == [None, "a", "b"]
    assert {(call["status"], call["maxResults"]) for call in client.calls} == {("QUEUED", 250)}


async def test_tokens_in_a_circle_end_the_listing() -> None:
    """A token that AWS has sent before is not used again; the problem names the operation and the filters."""
    client = _Client({None: "a", "a": "b", "b": "a"})
    pages, problems = await _read_all(_listing(client), jobId="j", status=None, maxResults=250)
    assert pages == 3  # the third one leads back to the second
    assert problems == ["ListJobs: AWS repeats a nextToken, and the listing ended early (jobId j)"]


async def test_a_listing_begins_again_a_few_times_if_its_tokens_are_refused() -> None:
    """Then it ends with AWS's error."""
    client = _Client({None: "gone"})
    pages, problems = await _read_all(_listing(client), namespaceId="acme")
    assert pages == RESTARTS_MAXIMUM + 1
    assert problems == ["ListJobs: InvalidRequestException: Invalid token: gone (namespaceId acme)"]


async def test_a_refused_first_page_ends_the_listing() -> None:
    """Another attempt would be refused, too."""
    client = _Client({})
    assert await _read_all(_listing(client)) == (0, ["ListJobs: InvalidRequestException: Invalid token: None"])
    assert len(client.calls) == 1


async def test_two_listings_may_have_the_same_tokens() -> None:
    """The tokens of a listing say nothing about those of the next one."""
    client = _Client({None: "a", "a": None})
    listing = _listing(client)
    assert await _read_all(listing, status="QUEUED") == (2, [])
    assert await _read_all(listing, status="IN_PROGRESS") == (2, [])
    assert await _read_all(listing, status="IN_PROGRESS") == (2, [])


async def test_a_page_may_be_read_again() -> None:
    """If the page could not be stored, its token is sent again, and its answer has the same following token."""
    listing = _listing(_Client({None: "a", "a": "b", "b": None}))
    first = await listing.read({})
    assert await listing.read({}) == first
    second = await listing.read(first.following or {})
    assert await listing.read(first.following or {}) == second
    assert (await listing.read(second.following or {})).problems == ()


async def test_a_listing_goes_on_in_another_process() -> None:
    """The position is enough; a token that repeats itself is still noticed."""
    page = await _listing(_Client({"a": "a"})).read({"token": "a", "restarts": 0})
    assert (page.following, len(page.problems)) == (None, 1)
