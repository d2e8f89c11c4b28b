"""Pages of a fake AWS's listings, and their tokens."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from support.aws_wire import Refused

_NOT_FILTERS = {"nextToken", "maxResults"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageToken:
    """The content of a nextToken, which is bound to an operation and its filters."""

    operation: str
    filters: Mapping[str, Any]
    page: int
    """The number of pages before it."""
    position: Sequence[Any]
    """The sort key of the last row before it, or the number of rows before it."""


def write_token(token: PageToken) -> str:
    """Return the text of a token."""
    content = [token.operation, token.filters, token.page, token.position]
    return base64.urlsafe_b64encode(json.dumps(content, sort_keys=True).encode()).decode()


def read_token(text: str) -> PageToken:
    """Return the content of a token.

    Raises:
        Refused: it is not one of ours.
    """
    try:
        operation, filters, page, position = json.loads(base64.urlsafe_b64decode(text))
        return PageToken(operation=operation, filters=filters, page=page, position=position)
    except ValueError as error:
        raise Refused("InvalidRequestException", "The next token is not valid") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Cuts rows into pages."""

    by_offset: bool = False
    """A token counts rows, so that a row that vanishes between two pages moves the next ones; by default it has the
    sort key of the last row."""

    def page(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        rows: Sequence[tuple[Sequence[Any], Any]],
        *,
        default: int,
        invalid: str = "InvalidRequestException",
    ) -> tuple[list[Any], str | None]:
        """Return the requested page of rows, given with their sort keys, and the token of the next one.

        Raises:
            Refused: the token belongs to another listing.
        """
        filters = {name: value for name, value in parameters.items() if name not in _NOT_FILTERS}
        number, left = 0, sorted(([*key], row) for key, row in rows) if rows else []
        skipped = 0
        if "nextToken" in parameters:
            try:
                token = read_token(parameters["nextToken"])
            except Refused as refused:
                raise Refused(invalid, refused.message) from refused
            if (token.operation, token.filters) != (operation, filters):
                raise Refused(invalid, "The next token belongs to another request")
            number = token.page
            if self.by_offset:
                skipped = token.position[0]
                left = left[skipped:]
            else:
                left = [(key, row) for key, row in left if key > [*token.position]]
        size = parameters.get("maxResults", default)
        page = left[:size]
        if len(left) <= size:
            return [row for _, row in page], None
        position = [skipped + size] if self.by_offset else page[-1][0]
        following = PageToken(operation=operation, filters=filters, page=number + 1, position=position)
        return [row for _, row in page], write_token(following)
