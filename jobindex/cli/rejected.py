"""`jobindex rejected`: the rejected messages of the running service."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from jobindex.cli.command import Command, Group
from jobindex.cli.options import AsJson, Endpoint, connect
from jobindex.cli.output import encode, note, say, show_found
from jobindex.cli.progress import progress
from jobindex.cli.rejected_client import COLUMNS, RejectedClient, row, show_message, show_outcome
from jobindex.cli.values import count, identity

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="List, show, retry or purge rejected messages.\n\n"
    "The running service stores messages that could not be parsed or applied, with the reason, within its limits. The "
    "commands query it over HTTP, at JOBINDEX_HTTP_HOST and JOBINDEX_HTTP_PORT or at --endpoint: no other process "
    "writes its database.",
    epilog="Example: jobindex rejected list",
)

_All = Annotated[bool, typer.Option("--all", help="Select all messages, instead of IDs.")]
_Ids = Annotated[
    list[int] | None, typer.Argument(parser=identity, metavar="ID", help="The ids of messages.", show_default=False)
]


@app.command("list", cls=Command, epilog="Example: jobindex rejected list --after 7")
def list_(
    *,
    after: Annotated[int, typer.Option(parser=identity, metavar="ID", help="Show messages with a greater id.")] = 0,
    limit: Annotated[
        int | None,
        typer.Option(
            parser=count,
            metavar="N",
            help="Show at most N messages (says when there are more).",
            show_default="all",
        ),
    ] = None,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """List the rejected messages, oldest first: id, time of the rejection, bytes, topic and reason.

    With --json prints one JSON object per line.
    """
    found = list(islice(_client(endpoint).messages(after), None if limit is None else limit + 1))
    messages = found[:limit]
    if json:
        for message in messages:
            say(encode(message))
    else:
        show_found(COLUMNS, [row(message) for message in messages], "No rejected messages found.")
    if len(found) > len(messages):
        note(f"There are more than these {limit}: raise --limit, or use --after {messages[-1]['id']}.")


@app.command(cls=Command, epilog="Example: jobindex rejected show 7")
def show(
    *,
    id_: Annotated[int, typer.Argument(parser=identity, metavar="ID", help="The id, from `jobindex rejected list`.")],
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Show a message with its payload, in base64 if it is not UTF-8. Exits with 1 if it does not exist."""
    message = _client(endpoint).message(id_)
    say(encode(message) if json else show_message(message))


@app.command(cls=Command, epilog="Example, after an upgrade: jobindex rejected retry --all")
def retry(*, ids: _Ids = None, all_: _All = False, json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Parse messages again, and apply those that are valid now.

    The parser is that of the running service. A message that is valid now is applied and leaves the list; the others
    stay, with their new reasons. It does no harm to apply a message late or twice. Exits with 0 if all messages
    were applied, otherwise with 1.
    """
    named = _named(ids, all_=all_)
    client = _client(endpoint)
    with progress("Retrying") as working:
        chosen = [message["id"] for message in client.messages(0)] if named is None else named
        outcome = client.retry(chosen, working.advance)
    _end(outcome, json=json)


@app.command(cls=Command, epilog="Example: jobindex rejected purge 7 8")
def purge(*, ids: _Ids = None, all_: _All = False, json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Delete messages permanently. Exits with 0 if all the given messages existed, otherwise with 1."""
    named = _named(ids, all_=all_)
    _end(_client(endpoint).purge(named), json=json)


def _named(ids: Sequence[int] | None, *, all_: bool) -> Sequence[int] | None:
    if bool(ids) == all_:
        raise typer.BadParameter("give one or more IDs, or --all, not both", param_hint="ID, --all")
    return None if all_ else ids


def _client(endpoint: str | None) -> RejectedClient:
    return RejectedClient(connect(endpoint))


def _end(outcome: dict[str, Any], *, json: bool) -> None:
    say(encode(outcome) if json else show_outcome(outcome))
    raise typer.Exit(int(bool(outcome.get("rejected") or outcome.get("missing"))))
