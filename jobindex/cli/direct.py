"""HTTP by no proxy, whatever proxy the environment names."""

import ssl
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

BROKEN = (OSError, HTTPException)
"""What is raised where an answer breaks off."""
UNANSWERED = (*BROKEN, UnicodeError)
"""What is raised where no answer comes; UnicodeError where the host's name cannot be one."""


def open_directly(request: str | Request, *, seconds: float, tls: ssl.SSLContext | None) -> HTTPResponse:
    """Return an answer that is still to be read; `seconds` is how long to wait for each part of it.

    `tls` decides whom to trust with HTTPS; None trusts the system's authorities.

    What leads elsewhere is an error too: a token is for nobody else.

    Raises:
        HTTPError: it is an error; it is an OSError, and an answer too.
        OSError, HTTPException, UnicodeError: none comes, see UNANSWERED.
    """
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls), _NoRedirect())
    return cast("HTTPResponse", opener.open(request, timeout=seconds))


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Lead nowhere."""
