"""`jobindex doctor`: what is wrong with a set-up, in plain words, and what to do about it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import typer

from jobindex.cli.checks.check_result import CheckResult, Part
from jobindex.cli.client import ServiceClient
from jobindex.cli.options import AsJson, Endpoint, connect, local_service
from jobindex.cli.output import encode, printable, say, styled
from jobindex.cli.settings import load_settings
from jobindex.config.settings import Settings, nearest_setting, unknown_settings
from jobindex.errors import SettingsError
from jobindex.storage.databases import SqliteDatabase

_SETTINGS = Part("settings")

EXAMPLE = "Example: jobindex doctor"


def doctor(*, json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Tell what is wrong with the set-up, and what to do about it.

    Looks at the settings, the way to the broker (name, port, TLS, credentials, each topic filter), the running
    service, the clocks and the database. Nothing is changed: the broker is asked under another client id, with a
    session that ends at once, and the database is only read. Exits with 0 when all is well, with 1 when something was
    found, with 2 when the settings are wrong; what could not be looked at is `unsure`, and does not count.
    """
    try:
        settings = load_settings(are_unknown_told=False)
    except SettingsError as error:
        for problem in error.problems:
            _show(_SETTINGS.bad(problem, "Correct it, and call the doctor again."), json=json)
        for result in _unknown_settings():
            _show(result, json=json)
        raise typer.Exit(2) from error
    service = local_service(settings) if endpoint is None else connect(endpoint)
    is_ill = False
    for result in _examine(settings, service):
        _show(result, json=json)
        is_ill |= result.advice is not None and not result.is_unsure
    raise typer.Exit(int(is_ill))


def _examine(settings: Settings, service: ServiceClient) -> Iterator[CheckResult]:
    from jobindex.cli.checks.broker import examine_brokers
    from jobindex.cli.checks.database import examine_database
    from jobindex.cli.checks.keys import examine_keys
    from jobindex.cli.checks.publishers import examine_publishers
    from jobindex.cli.checks.service import examine_service

    unknown = list(_unknown_settings())
    yield from unknown or [_SETTINGS.well("are valid")]
    yield from examine_keys(settings.http.keys_path, settings.http.keys)
    of_service = list(examine_service(service))
    yield from examine_brokers(settings.brokers, settings.topic_filters)
    yield from of_service
    yield from examine_publishers(service, datetime.now(UTC).timestamp())
    # Of a service that does not answer there is nothing more to tell.
    is_served = len(of_service) > 1
    if isinstance(settings.database, SqliteDatabase):
        yield from examine_database(settings.database.path, is_served=is_served)
    else:
        from jobindex.cli.checks.server import examine_server

        yield from examine_server(settings.database)


def _unknown_settings() -> Iterator[CheckResult]:
    for name in unknown_settings(os.environ):
        nearest = nearest_setting(name)
        advice = f"Correct its name{f' to {nearest}' if nearest else ''}, or unset it: it has no effect."
        yield _SETTINGS.bad(f"{name} is no setting of jobindex", advice)


def _show(result: CheckResult, *, json: bool) -> None:
    if json:
        told = {"part": result.part, "ok": result.advice is None, "told": result.told, "advice": result.advice}
        if result.is_unsure:
            told["unsure"] = True
        say(encode({name: value for name, value in told.items() if value is not None}))
        return
    mark = "ok" if result.advice is None else "unsure" if result.is_unsure else "WRONG"
    say(f"{styled(f'{mark:<7}')} {result.part}: {printable(result.told)}")
    if result.advice is not None:
        say(f"{'':<7} -> {printable(result.advice)}")
