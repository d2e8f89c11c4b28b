"""HTTP without a proxy, even if the environment names one."""

import ssl
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

BROKEN = (OSError, HTTPException)
"""The errors of an answer that breaks off."""
UNANSWERED = (*BROKEN, UnicodeError)
"""The errors of a missing answer; UnicodeError if the host name is invalid."""


def open_directly(request: str | Request, *, seconds: float, tls: ssl.SSLContext | None) -> HTTPResponse:
    """Return an answer to read; `seconds` is the timeout of each socket operation.

    Without `tls`, HTTPS trusts the system's authorities. A redirect is an error, because the token is for this server
    only.

    Raises:
        HTTPError: the answer is an error; an HTTPError is also an OSError and an answer.
        OSError, HTTPException, UnicodeError: there is no answer, see UNANSWERED.
    """
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls), _NoRedirect())
    return cast("HTTPResponse", opener.open(request, timeout=seconds))


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow no redirect."""
