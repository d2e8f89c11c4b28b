"""`jobindex doctor`: the problems of an installation, and advice on each."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.cli.client import ServiceClient
from jobindex.cli.options import AsJson, Endpoint, connect, duration, local_service
from jobindex.cli.output import encode, note, printable, say, styled
from jobindex.cli.settings import load_settings
from jobindex.config.settings import Settings, nearest_setting, unknown_settings
from jobindex.durations import show_duration
from jobindex.errors import SettingsError
from jobindex.storage.databases import SqliteDatabase

_SETTINGS = Part("settings")

EXAMPLE = "Examples: jobindex doctor; jobindex doctor --listen 30s; jobindex doctor --aws"

_Listen = Annotated[
    int | None,
    typer.Option(
        metavar="DURATION",
        parser=duration,
        help="Wait up to DURATION for the service to receive a message.",
        show_default="do not wait",
    ),
]


def doctor(
    *,
    listen: _Listen = None,
    calls_aws: Annotated[
        bool, typer.Option("--aws", help="Check the calls of the sync to AWS even if JOBINDEX_AWS_SYNC is `off`.")
    ] = False,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Find problems with the installation, and say how to solve them.

    Checks the settings, the broker (name, port, TLS, credentials, each topic filter), the running service, the clocks
    and the database, and if JOBINDEX_AWS_SYNC is not `off` the calls to AWS (credentials, each operation, events).
    Changes nothing: it connects to the broker with another client id and a session that ends at once, makes only AWS
    calls that read, and only reads the database. With --listen it then waits until the service has received a message.
    Exits with 0 if it finds no problem, with 1 if it finds one, with 2 if a setting is wrong. A check that could not be
    made is `unsure` and does not count.
    """
    try:
        settings = load_settings(warns_of_unknown=False)
    except SettingsError as error:
        for problem in error.problems:
            _show(_SETTINGS.problem(problem, "Correct it and run the doctor again."), json=json)
        for result in _unknown_settings():
            _show(result, json=json)
        raise typer.Exit(2) from error
    service = local_service(settings) if endpoint is None else connect(endpoint)
    has_problem = False
    for result in _examine(settings, service, listen, calls_aws=calls_aws):
        _show(result, json=json)
        has_problem |= result.advice is not None and not result.is_unsure
    raise typer.Exit(int(has_problem))


def _examine(
    settings: Settings, service: ServiceClient, listen_seconds: int | None, *, calls_aws: bool
) -> Iterator[CheckResult]:
    from jobindex.cli.checks.aws import examine_aws
    from jobindex.cli.checks.broker import examine_brokers
    from jobindex.cli.checks.database import examine_database
    from jobindex.cli.checks.keys import examine_keys
    from jobindex.cli.checks.publishers import examine_publishers
    from jobindex.cli.checks.service import examine_service, listen

    unknown = list(_unknown_settings())
    yield from unknown or [_SETTINGS.ok("all are valid")]
    yield from examine_keys(settings.http.keys_path, settings.http.keys)
    of_service = list(examine_service(service))
    yield from examine_brokers(settings.brokers, settings.topic_filters)
    yield from of_service
    yield from examine_publishers(service, datetime.now(UTC).timestamp())
    if calls_aws or settings.aws_sync.mode != "off":
        yield from examine_aws(settings.aws_sync.endpoint_url, region=settings.aws_region, service=service)
    # A service that does not answer has one result.
    is_served = len(of_service) > 1
    if isinstance(settings.database, SqliteDatabase):
        yield from examine_database(settings.database.path, is_served=is_served)
    else:
        from jobindex.cli.checks.server import examine_server

        yield from examine_server(settings.database)
    if listen_seconds is not None:
        note(f"Listening for {show_duration(listen_seconds)}: publish a message now.")
        yield listen(service, listen_seconds)


def _unknown_settings() -> Iterator[CheckResult]:
    for name in unknown_settings(os.environ):
        nearest = nearest_setting(name)
        advice = f"Correct its name{f' to {nearest}' if nearest else ''}, or unset it: it has no effect."
        yield _SETTINGS.problem(f"{name} is not a setting of jobindex", advice)


def _show(result: CheckResult, *, json: bool) -> None:
    if json:
        members = {"part": result.part, "ok": result.advice is None, "told": result.text, "advice": result.advice}
        if result.is_unsure:
            members["unsure"] = True
        say(encode({name: value for name, value in members.items() if value is not None}))
        return
    mark = "ok" if result.advice is None else "unsure" if result.is_unsure else "problem"
    say(f"{styled(f'{mark:<7}')} {result.part}: {printable(result.text)}")
    if result.advice is not None:
        say(f"{'':<7} -> {printable(result.advice)}")
