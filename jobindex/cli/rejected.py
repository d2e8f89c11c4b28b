"""`jobindex rejected`: the messages that could not be understood, which the running service keeps."""

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
    help="List, show, try again or purge the messages that could not be understood.\n\n"
    "The running service keeps them with their reasons, within its limits. It is asked over HTTP, at "
    "JOBINDEX_HTTP_HOST and JOBINDEX_HTTP_PORT or at --endpoint: no other process writes its database.",
    epilog="Example: jobindex rejected list",
)

_All = Annotated[bool, typer.Option("--all", help="All messages, instead of IDs.")]
_Ids = Annotated[
    list[int] | None, typer.Argument(parser=identity, metavar="ID", help="These messages.", show_default=False)
]


@app.command("list", cls=Command, epilog="Example: jobindex rejected list --after 7")
def list_(
    *,
    after: Annotated[int, typer.Option(parser=identity, metavar="ID", help="Only those with a greater id.")] = 0,
    limit: Annotated[
        int | None,
        typer.Option(
            parser=count, metavar="N", help="At most so many; it is told when more follow.", show_default="all"
        ),
    ] = None,
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """A line for each message, oldest first: id, when it was rejected, its bytes, its topic, the reason.

    With --json one JSON object a line.
    """
    found = list(islice(_client(endpoint).messages(after), None if limit is None else limit + 1))
    messages = found[:limit]
    if json:
        for message in messages:
            say(encode(message))
    else:
        show_found(COLUMNS, [row(message) for message in messages], "No rejected message is kept.")
    if len(found) > len(messages):
        note(f"More follow these {limit}: take a greater --limit, or --after {messages[-1]['id']}.")


@app.command(cls=Command, epilog="Example: jobindex rejected show 7")
def show(
    *,
    id_: Annotated[int, typer.Argument(parser=identity, metavar="ID", help="As `jobindex rejected list` tells it.")],
    json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """One message with its payload, in base64 where it is not UTF-8. Exits with 1 without one."""
    message = _client(endpoint).message(id_)
    say(encode(message) if json else show_message(message))


@app.command(cls=Command, epilog="Example, after an upgrade: jobindex rejected retry --all")
def retry(*, ids: _Ids = None, all_: _All = False, json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Parse messages again and apply those that are understood now.

    They are parsed as the version that runs now understands them. What is understood is applied and leaves the list;
    the rest stays with its new reason. Late or twice does no harm. Exits with 0 when all were applied, else with 1.
    """
    named = _named(ids, all_=all_)
    client = _client(endpoint)
    with progress("Trying again") as working:
        chosen = [message["id"] for message in client.messages(0)] if named is None else named
        outcome = client.retry(chosen, working.advance)
    _end(outcome, json=json)


@app.command(cls=Command, epilog="Example: jobindex rejected purge 7 8")
def purge(*, ids: _Ids = None, all_: _All = False, json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Delete messages for good. Exits with 0 when all that were named were there, else with 1."""
    named = _named(ids, all_=all_)
    _end(_client(endpoint).purge(named), json=json)


def _named(ids: Sequence[int] | None, *, all_: bool) -> Sequence[int] | None:
    if bool(ids) == all_:
        raise typer.BadParameter("name one ID or more, or --all, not both", param_hint="ID, --all")
    return None if all_ else ids


def _client(endpoint: str | None) -> RejectedClient:
    return RejectedClient(connect(endpoint))


def _end(outcome: dict[str, Any], *, json: bool) -> None:
    say(encode(outcome) if json else show_outcome(outcome))
    raise typer.Exit(int(bool(outcome.get("rejected") or outcome.get("missing"))))
