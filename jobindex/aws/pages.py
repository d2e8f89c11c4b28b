"""Reads listings of AWS page by page, and handles every answer that AWS may give to a nextToken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobindex.aws.answers import AwsAnswer
from jobindex.aws.caller import Caller
from jobindex.errors import AwsInvalidError

RESTARTS_MAXIMUM = 3
"""A listing whose nextToken AWS refuses begins again this often."""

PAGES_MAXIMUM = 100_000
"""A listing of more pages ends: each is of up to 250 rows, so its tokens lead nowhere."""

PagePosition = Mapping[str, Any]
"""The next page of a listing, as JSON; {} is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """A page, or the refusal of its nextToken."""

    answer: AwsAnswer | None
    """None if AWS has refused the token."""
    following: PagePosition | None
    """None if the listing is over."""
    problems: Sequence[str] = ()

    @property
    def is_incomplete(self) -> bool:
        """Whether the listing ended early."""
        return bool(self.problems)


class Listing:
    """Reads the pages of one operation's listings, one listing after another.

    A refused token begins the listing again: tokens expire, and a job that is listed twice changes nothing. A token
    that AWS has sent before ends it: emulators repeat one for ever.
    """

    def __init__(self, caller: Caller, operation: str) -> None:
        self._caller = caller
        self._operation = operation
        self._subject: object = None
        self._tokens: set[str] = set()
        """The tokens that were sent in the current listing."""

    async def read(self, position: PagePosition, **parameters: Any) -> ListedPage:  # noqa: ANN401 (as the operation needs)
        """Read the page at a position of the listing with these parameters.

        Raises:
            AwsError: as in Caller, but AwsInvalidError.
        """
        token, restarts = position.get("token"), position.get("restarts", 0)
        try:
            answer = await self._caller.call(self._operation, nextToken=token, **parameters)
        except AwsInvalidError as error:
            if token is not None and restarts < RESTARTS_MAXIMUM:
                return ListedPage(answer=None, following={"restarts": restarts + 1})
            return ListedPage(answer=None, following=None, problems=[f"{error}{_shown(parameters)}"])
        following = answer.members.get("nextToken")
        if following is None:
            return ListedPage(answer=answer, following=None)
        pages = position.get("pages", 0) + 1
        subject = restarts, *sorted(parameters.items(), key=str)
        if pages > PAGES_MAXIMUM or self._is_repeated(subject, token, following):
            problem = f"{self._operation}: AWS repeats a nextToken, and the listing ended early{_shown(parameters)}"
            return ListedPage(answer=answer, following=None, problems=[problem])
        return ListedPage(answer=answer, following={"token": following, "restarts": restarts, "pages": pages})

    def _is_repeated(self, subject: object, token: str | None, following: str) -> bool:
        """Return whether the following token was sent before; a page that is read again sends its own again."""
        if token is None or subject != self._subject:
            self._subject, self._tokens = subject, set()
        if token is not None:
            self._tokens.add(token)
        return following in self._tokens


def _shown(parameters: Mapping[str, Any]) -> str:
    filters = [f"{name} {value}" for name, value in parameters.items() if value is not None and name != "maxResults"]
    return f" ({', '.join(filters)})" if filters else ""
