"""The names of the commands, and the message and the exit status for each error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from jobindex.cli import (
    config,
    copy,
    database,
    doctor,
    export,
    import_,
    jobs,
    keys,
    rejected,
    running,
    sync,
    things,
    watch,
)
from jobindex.cli.command import Command, Group
from jobindex.cli.output import note, say
from jobindex.errors import (
    BackupError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    DataRefusedError,
    InvalidRequestException,
    JobindexError,
    KeysError,
    ResourceNotFoundException,
    ServiceError,
    ServiceUnreachableError,
    SettingsError,
)

app = typer.Typer(
    name="jobindex",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings are environment variables that start with JOBINDEX_; `jobindex config` prints them. "
    "Exit status: 0 success; 1 not found, failed or unhealthy; 2 wrong usage or settings; 3 no service answers; "
    "130 interrupted by Ctrl-C; 141 the reader of the output has closed it.",
)

_BROKEN_PIPE = 141
"""The exit status that a shell reports for a command ended by SIGPIPE."""

_ERRORS: Mapping[type[JobindexError], tuple[int, str]] = {
    SettingsError: (2, "jobindex {}: wrong settings:"),
    KeysError: (1, "jobindex {}: the keys were not changed:"),
    InvalidRequestException: (2, "jobindex {}:"),
    ResourceNotFoundException: (1, "jobindex {}:"),
    BackupError: (1, "jobindex {}:"),
    DataRefusedError: (1, "jobindex {}:"),
    ServiceUnreachableError: (3, "jobindex {}:"),
    ServiceError: (1, "jobindex {}:"),
    DatabaseRefusedError: (1, "jobindex cannot use its database:"),
    DatabaseUnavailableError: (1, "jobindex cannot use its database:"),
}
"""The exit status for an error, and the start of its message; subclasses come before their base."""

_RUN, _ASK, _KEEP = "Run the service", "Query the index", "Maintain the installation"

app.command(cls=Command, rich_help_panel=_RUN, epilog=running.SERVE_EXAMPLE)(running.serve)
app.command(cls=Command, rich_help_panel=_RUN, epilog=running.DEMO_EXAMPLE)(running.demo)
app.command(cls=Command, rich_help_panel=_RUN, epilog=running.HEALTHCHECK_EXAMPLE)(running.healthcheck)
app.command("list", cls=Command, rich_help_panel=_ASK, epilog=jobs.LIST_EXAMPLE)(jobs.list_)
app.command(cls=Command, rich_help_panel=_ASK, epilog=jobs.SHOW_EXAMPLE)(jobs.show)
app.command(cls=Command, rich_help_panel=_ASK, epilog=things.THINGS_EXAMPLE)(things.things)
app.command(cls=Command, rich_help_panel=_ASK, epilog=things.STUCK_EXAMPLE)(things.stuck)
app.command(cls=Command, rich_help_panel=_ASK, epilog=things.NAMESPACES_EXAMPLE)(things.namespaces)
app.command(cls=Command, rich_help_panel=_ASK, epilog=watch.EXAMPLE)(watch.watch)
app.command(cls=Command, rich_help_panel=_ASK, epilog=export.EXAMPLE)(export.export)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=database.BACKUP_EXAMPLE)(database.backup)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=database.CHECK_EXAMPLE)(database.check)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=database.RESTORE_EXAMPLE)(database.restore)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=database.MIGRATE_EXAMPLE)(database.migrate)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=copy.EXAMPLE)(copy.copy)
app.command("import", cls=Command, rich_help_panel=_KEEP, epilog=import_.EXAMPLE)(import_.import_)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=sync.EXAMPLE)(sync.sync)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=doctor.EXAMPLE)(doctor.doctor)
app.command(cls=Command, rich_help_panel=_KEEP, epilog=config.EXAMPLE)(config.config)
app.add_typer(keys.app, name="keys", rich_help_panel=_KEEP)
app.add_typer(rejected.app, name="rejected", rich_help_panel=_KEEP)


@dataclass(slots=True)
class _Call:
    command: str = ""


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 (typer calls it so)
    if is_wanted:
        from importlib.metadata import version

        say(f"jobindex {version('jobindex')}")
        raise typer.Exit


@app.callback()
def _jobindex(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 (its callback prints it)
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Index AWS IoT jobs from their MQTT notifications, and answer ListJobs from the index."""
    context.obj.command = context.invoked_subcommand


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command, by default with the process's arguments, and return its exit status."""
    call = _Call()
    try:
        app(args=arguments, prog_name="jobindex", obj=call)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer exits with 1
            return _BROKEN_PIPE
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except tuple(_ERRORS) as error:
        status, beginning = next(meaning for kind, meaning in _ERRORS.items() if isinstance(error, kind))
        if isinstance(error, SettingsError) and call.command in {"serve", "demo"}:
            beginning = "jobindex cannot start:"
        beginning = beginning.format(call.command)
        lines = (
            [beginning, *error.problems] if isinstance(error, SettingsError | KeysError) else [f"{beginning} {error}"]
        )
        for line in lines:
            note(line)
        return status
    return 0
