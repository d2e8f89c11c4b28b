"""`jobindex keys`: the keys of clients, in the file that JOBINDEX_HTTP_KEYS_FILE names."""

import secrets
from base64 import b32encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from jobindex.access.keys import NAME, AccessKey, Key, Keys, digest
from jobindex.access.keys_file import change_keys, read_keys
from jobindex.access.principals import Principal, Role
from jobindex.cli import values
from jobindex.cli.command import Command, Group
from jobindex.cli.options import AsJson
from jobindex.cli.output import encode, note, say, show_found
from jobindex.cli.settings import OF_KEYS, load_settings
from jobindex.errors import KeysError, ResourceNotFoundException, SettingsError

ADD_EXAMPLE = "Example: jobindex keys add reports --namespace-id acme"
_COLUMNS = ("NAME", "ROLE", "NAMESPACES", "CREDENTIAL", "CREATED")
_AGAIN = "A running service reads the file again on SIGHUP."

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Add, list and revoke the keys of clients.\n\n"
    "The keys are in the file that JOBINDEX_HTTP_KEYS_FILE, or --file, names. A running service reads it again on "
    "SIGHUP.",
    epilog=ADD_EXAMPLE,
)

_File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Use this keys file.", show_default="JOBINDEX_HTTP_KEYS_FILE"),
]


def _name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        raise typer.BadParameter(f"{text!r} is not 1 to 64 letters, digits or _.@-")
    return text


_Name = Annotated[str, typer.Argument(parser=_name, metavar="NAME", help="The name of the key.")]


@app.command(cls=Command, epilog=ADD_EXAMPLE)
def add(
    *,
    name: _Name,
    token: Annotated[
        bool, typer.Option("--token", help="Add a token, for curl, scripts and browsers, instead of an access key.")
    ] = False,
    namespace_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace-id",
            parser=values.namespace,
            metavar="NAME",
            help="Limit the key to this namespace; may be given more than once.",
            show_default="all",
        ),
    ] = None,
    role: Annotated[
        Role,
        typer.Option(
            parser=values.role,
            metavar="ROLE",
            help="The role: read, or operate, which may also retry, purge and import.",
        ),
    ] = Role.READ,
    json: AsJson = False,
    file: _File = None,
) -> None:
    """Add a key and show its secret. The secret is not shown again.

    SDKs and the AWS CLI sign requests with an access key.
    """
    if role is Role.OPERATE and namespace_ids:
        raise typer.BadParameter(
            "a key with the role operate cannot be limited to namespaces", param_hint="--role, --namespace-id"
        )
    principal = Principal(name=name, role=role, namespace_ids=frozenset(namespace_ids) if namespace_ids else None)
    key, credential = _new_key(principal, is_token=token)

    def added(keys: Keys) -> Keys:
        if any(other.principal.name == name for other in keys.all):
            raise KeysError([f"the key {name} already exists; revoke it first, or choose another name"])
        return Keys((*keys.all, key))

    change_keys(_path(file), added)
    if json:
        say(encode({"name": name, **credential}))
    elif token:
        say(credential["token"])
    else:  # the format of ~/.aws/credentials
        say("\n".join(f"{member} = {value}" for member, value in credential.items()))
    content = "the secret" if key.access_key else "a hash of the token"
    note(f"The secret is not shown again. Protect the keys file: it contains {content}. {_AGAIN}")


@app.command("list", cls=Command, epilog="Example: jobindex keys list")
def list_(*, json: AsJson = False, file: _File = None) -> None:
    """List the keys: name, role, namespaces, and credential without the secret; with --json as JSON lines."""
    keys = read_keys(_path(file))
    if json:
        for key in keys.all:
            say(encode(_described(key)))
    else:
        show_found(_COLUMNS, [_row(key) for key in keys.all], "No keys found.")


@app.command(cls=Command, epilog="Example: jobindex keys revoke reports")
def revoke(*, name: _Name, file: _File = None) -> None:
    """Revoke a key. Exits with 1 if it does not exist."""

    def revoked(keys: Keys) -> Keys:
        others = [key for key in keys.all if key.principal.name != name]
        if len(others) == len(keys.all):
            raise ResourceNotFoundException(f"The key {name} does not exist")
        return Keys(others)

    path = _path(file)
    read_keys(path)  # raises KeysError if the file does not exist
    change_keys(path, revoked)
    say(f"{name} revoked")
    note(_AGAIN)


def _path(file: Path | None) -> Path:
    path = file or load_settings(OF_KEYS).http.keys_path
    if path is None:
        raise SettingsError(["JOBINDEX_HTTP_KEYS_FILE: is not set, and --file is not given"])
    return path


def _new_key(principal: Principal, *, is_token: bool) -> tuple[Key, dict[str, str]]:
    created_at = datetime.now(UTC).replace(microsecond=0)
    if is_token:
        token = f"jobindex_{secrets.token_urlsafe(32)}"
        return Key(principal=principal, created_at=created_at, token_sha256=digest(token)), {"token": token}
    access_key = AccessKey(
        id=f"JOBX{b32encode(secrets.token_bytes(10)).decode()}",  # as long as AWS's
        secret=secrets.token_urlsafe(30),
    )
    credential = {"aws_access_key_id": access_key.id, "aws_secret_access_key": access_key.secret}
    return Key(principal=principal, created_at=created_at, access_key=access_key), credential


def _described(key: Key) -> dict[str, object]:
    principal = key.principal
    return {
        "name": principal.name,
        "role": principal.role,
        "namespaces": None if principal.namespace_ids is None else sorted(principal.namespace_ids),
        "accessKeyId": key.access_key.id if key.access_key else None,
        "createdAt": key.created_at.timestamp(),
    }


def _row(key: Key) -> Sequence[str]:
    principal = key.principal
    return (
        principal.name,
        principal.role,
        "all" if principal.namespace_ids is None else ", ".join(sorted(principal.namespace_ids)),
        key.access_key.id if key.access_key else "token",
        f"{key.created_at:%Y-%m-%dT%H:%M:%SZ}",
    )
