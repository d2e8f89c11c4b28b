"""The options that several commands share: endpoint, filters and output format."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlsplit

import typer

from jobindex.cli import values
from jobindex.cli.client import ServiceClient
from jobindex.cli.output import note
from jobindex.cli.settings import OF_ENDPOINT, OF_HTTP, load_settings
from jobindex.config.settings import Settings
from jobindex.durations import parse_duration
from jobindex.model.jobs import JobStatus, TargetSelection

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
Endpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Use the service at URL.",
        show_default="http[s]://, JOBINDEX_HTTP_HOST and JOBINDEX_HTTP_PORT",
    ),
]
Prefix = Annotated[str | None, typer.Option(metavar="TEXT", help="Select names that begin with TEXT.")]
NamespaceId = Annotated[str | None, typer.Option(metavar="NAME", help="Select jobs of this namespace.")]
Status = Annotated[
    JobStatus | None,
    typer.Option(
        metavar="STATUS",
        help=f"Select jobs with this status: {', '.join(JobStatus)}.",
        parser=values.status,
        autocompletion=lambda: list(JobStatus),
    ),
]
Selection = Annotated[
    TargetSelection | None,
    typer.Option(
        metavar="KIND",
        help=f"Select jobs with this target selection: {', '.join(TargetSelection)}.",
        parser=values.selection,
        autocompletion=lambda: list(TargetSelection),
    ),
]
GroupId = Annotated[str | None, typer.Option(metavar="ID", help="Select jobs of the thing group with this id.")]
GroupName = Annotated[str | None, typer.Option(metavar="NAME", help="Select jobs of the thing group with this name.")]


def duration(text: str | None) -> int | None:
    """Return the seconds in the text of an option."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def connect(endpoint: str | None) -> ServiceClient:
    """Return a client of the service at `endpoint`, by default at the settings' address."""
    if endpoint is None:
        return local_service(load_settings(OF_HTTP))
    if not _is_address(endpoint):
        raise typer.BadParameter(f"{endpoint!r} is not http://HOST:PORT", param_hint="--endpoint")
    settings = load_settings(OF_ENDPOINT, warns_of_unknown=False)
    return ServiceClient(endpoint.rstrip("/"), _trusted(endpoint, settings), token=settings.http.token)


def local_service(settings: Settings) -> ServiceClient:
    """Return a client of the service with these settings on this machine."""
    from jobindex.addresses import local_url
    from jobindex.config.tls import pinned_context

    cert_file = settings.http.cert_file
    url = local_url(settings.http.host, settings.http.port, is_secure=cert_file is not None)
    # The certificate has the name by which remote clients reach the service.
    tls = None if cert_file is None else pinned_context(cert_file)
    return ServiceClient(url, tls, token=settings.http.token)


@contextmanager
def asking(endpoint: str | None) -> Iterator[ServiceClient]:
    """Yield a client as connect() does, and warn at the end if its answers may be incomplete."""
    service = connect(endpoint)
    try:
        yield service
    finally:
        warn(service)


def warn(service: ServiceClient) -> None:
    """Warn if the last answer may be incomplete."""
    if not service.freshness:
        return
    if "ingestion=connected" not in service.freshness:
        note("The service is not connected to its broker: the answer may be out of date. See `jobindex doctor`.")
    elif "complete-since=" not in service.freshness:
        note("The index is not complete: jobs may be missing. See `jobindex doctor`.")


def _trusted(endpoint: str, settings: Settings) -> ssl.SSLContext | None:
    if not endpoint.lower().startswith("https:"):
        return None
    from jobindex.config.tls import verifying_context

    return verifying_context(settings.http.ca_file)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        is_port = parts.port is None or parts.port > 0
    except ValueError:  # an unclosed bracket, a port that is not a number, a host with empty labels
        return False
    is_web = parts.scheme in {"http", "https"} and bool(host) and is_port and parts.username is None
    return is_web and url.isascii() and url.isprintable() and not set(url) & set(" ?#")
