"""What several commands take: where the service is, which jobs, in which form."""

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

AsJson = Annotated[bool, typer.Option("--json", help="JSON, a line for each, for programs.")]
Endpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the service answers.",
        show_default="http[s]://, JOBINDEX_HTTP_HOST and JOBINDEX_HTTP_PORT",
    ),
]
Prefix = Annotated[str | None, typer.Option(metavar="TEXT", help="Only those whose names begin with it.")]
NamespaceId = Annotated[str | None, typer.Option(metavar="NAME", help="Only jobs of this namespace.")]
Status = Annotated[
    JobStatus | None,
    typer.Option(
        metavar="STATUS",
        help=f"Only jobs with it: {', '.join(JobStatus)}.",
        parser=values.status,
        autocompletion=lambda: list(JobStatus),
    ),
]
Selection = Annotated[
    TargetSelection | None,
    typer.Option(
        metavar="KIND",
        help=f"Only jobs of it: {', '.join(TargetSelection)}.",
        parser=values.selection,
        autocompletion=lambda: list(TargetSelection),
    ),
]
GroupId = Annotated[str | None, typer.Option(metavar="ID", help="Only jobs for this thing group.")]
GroupName = Annotated[str | None, typer.Option(metavar="NAME", help="Only jobs for the thing group of this name.")]


def duration(text: str | None) -> int | None:
    """Return the seconds in the text of an option, as typer's callback of it."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def connect(endpoint: str | None) -> ServiceClient:
    """Return a client of the service at `endpoint`; for None, at the address of the settings."""
    if endpoint is None:
        return local_service(load_settings(OF_HTTP))
    if not _is_address(endpoint):
        raise typer.BadParameter(f"{endpoint!r} is not http://HOST:PORT", param_hint="--endpoint")
    settings = load_settings(OF_ENDPOINT, are_unknown_told=False)
    return ServiceClient(endpoint.rstrip("/"), _trusted(endpoint, settings), token=settings.http.token)


def local_service(settings: Settings) -> ServiceClient:
    """Return a client of the service that runs by these settings on this machine."""
    from jobindex.addresses import local_url
    from jobindex.config.tls import pinned_context

    cert_file = settings.http.cert_file
    url = local_url(settings.http.host, settings.http.port, is_secure=cert_file is not None)
    # Its certificate names it as clients elsewhere call it.
    tls = None if cert_file is None else pinned_context(cert_file)
    return ServiceClient(url, tls, token=settings.http.token)


@contextmanager
def asking(endpoint: str | None) -> Iterator[ServiceClient]:
    """Yield a client as connect() does, and tell in the end where what it was answered may lack something."""
    service = connect(endpoint)
    try:
        yield service
    finally:
        warn(service)


def warn(service: ServiceClient) -> None:
    """Tell where what a service has answered last may lack something."""
    if not service.freshness:
        return
    if "ingestion=connected" not in service.freshness:
        note("The service is not connected to its broker now: this is what it knew. `jobindex doctor` tells why.")
    elif "complete-since=" not in service.freshness:
        note("The index is not complete: it has not been told everything. `jobindex doctor` tells more.")


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
    except ValueError:  # brackets that are not closed, a port that is no number, a host with empty labels
        return False
    is_web = parts.scheme in {"http", "https"} and bool(host) and is_port and parts.username is None
    return is_web and url.isascii() and url.isprintable() and not set(url) & set(" ?#")
