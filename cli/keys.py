"""`pouf keys`: API keys, made, listed and revoked at a service or on the machine that has the database."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.remote.connection import OperatedUrl, connected, operated_url
from cli.remote.output import AsJson, moment, print_list, print_table
from cli.remote.whoami import whoami

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
app.command()(whoami)

DataDir = Annotated[Path | None, typer.Option(help="Where everything is kept. Default: POUF_DATA_DIR, else ./.pouf.")]
OWNER = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}"
AtMost = typer.Option(help="Default: what the settings say.", min=1)


class Scope(StrEnum):
    """What a key may be used for."""

    READ = "read"
    WRITE = "write"
    PREDICT = "predict"
    ADMIN = "admin"


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for, to recognise it in the list.")],
    owner: Annotated[
        str | None,
        typer.Option(help="Whose data the key opens. Default: POUF_OWNER, who has what was made without."),
    ] = None,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="Repeatable. Default: read, write and predict. admin stands for all.")
    ] = None,
    expires_in_days: Annotated[float | None, typer.Option(help="Default: never.", min=0.001)] = None,
    requests_per_minute: Annotated[int | None, AtMost] = None,
    stored_bytes: Annotated[int | None, AtMost] = None,
    items: Annotated[int | None, AtMost] = None,
    concurrent_jobs: Annotated[int | None, AtMost] = None,
    queued_jobs: Annotated[int | None, AtMost] = None,
    url: OperatedUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it: once, for only its hash is kept. Limits default to those of the settings.

    From the first key on, every request needs one. At a service a key gives at most what it has itself.
    """
    stated = {
        "requests_per_minute": requests_per_minute,
        "stored_bytes": stored_bytes,
        "items": items,
        "concurrent_jobs": concurrent_jobs,
        "queued_jobs": queued_jobs,
    }
    limits = {limit: value for limit, value in stated.items() if value is not None}
    scopes = list(dict.fromkeys(scope or [Scope.READ, Scope.WRITE, Scope.PREDICT]))
    expires_at = None if expires_in_days is None else datetime.now(UTC) + timedelta(days=expires_in_days)
    owner, name = owner and _checked_owner(owner), _checked_name(name)
    if service := operated_url(url, data_dir):
        with connected(service) as client:
            made = client.keys.create(name, owner=owner, scopes=scopes, expires_at=expires_at, limits=limits)
        _tell(made["id"], made["owner"], made["scopes"], made["secret"])
        return
    from app.keys.service import NewKey
    from app.keys.service import create as make

    settings, database = _open(data_dir)
    key, text = make(settings, database, NewKey(owner or settings.owner, name, scopes, expires_at, limits))
    _tell(key.id, key.owner, key.scopes, text)


def _tell(key_id: str, owner: str, scopes: Sequence[str], text: str | None) -> None:
    if text is None:
        raise CommandError(f"The answer with the key's text was lost: `pouf keys revoke {key_id}`, then try again.")
    typer.echo(f"Made {key_id} for {owner}, scopes: {', '.join(scopes)}. The key is not shown again:", err=True)
    typer.echo(text)


@app.command("list")
def list_keys(url: OperatedUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys, newest first: of each its beginning, never the whole."""
    if service := operated_url(url, data_dir):
        with connected(service) as client:
            documents = [dict(key) for key in client.keys.list()]
    else:
        from app.keys.schemas import show_key
        from app.keys.service import list_all

        _, database = _open(data_dir)
        documents = [show_key(key).model_dump(mode="json") for key in reversed(list_all(database))]
    if as_json:
        print_list(documents)
        return
    headings = ("id", "begins", "name", "owner", "scopes", "state", "made", "last used")
    print_table(headings, map(_cells, documents))


def _cells(key: dict[str, Any]) -> list[object]:
    named = [key[field] for field in ("id", "prefix", "name", "owner")]
    return [*named, ",".join(key["scopes"]), _state(key), moment(key["created_at"]), moment(key["last_used_at"])]


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The id of a key, or its beginning as `pouf keys list` shows it.")],
    url: OperatedUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Revoke a key, at once and permanently."""
    if service := operated_url(url, data_dir):
        with connected(service) as client:
            ended = client.keys.revoke(key)
        typer.echo(f"Revoked {ended['id']} ({ended['name']})")
        return
    from app.keys.service import NoSuchKey
    from app.keys.service import revoke as end

    _, database = _open(data_dir)
    try:
        revoked = end(database, key)
    except NoSuchKey as error:
        raise CommandError(str(error), ExitCode.NOT_FOUND) from error
    typer.echo(f"Revoked {revoked.id} ({revoked.name})")


@app.command()
def generate() -> None:
    """Print a key that no service knows yet, for POUF_BOOTSTRAP_KEY."""
    from app.auth.key_text import new_key_text

    typer.echo(new_key_text())


def _open(data_dir: Path | None) -> "tuple[Settings, Database]":
    from cli.maintenance import require_database
    from cli.supervisor import check_paths, migrate, settings_with
    from store.database import Database
    from store.private_files import make_data_private

    settings = settings_with(data_dir=data_dir)
    check_paths(settings)
    require_database(settings)
    make_data_private(settings)
    migrate(settings)
    return settings, Database.of(settings)


def _checked_owner(owner: str) -> str:
    if not re.fullmatch(OWNER, owner, re.ASCII):
        message = f"{owner!r} cannot be an owner: letters, digits and ._@- only, at most 63 of them."
        raise CommandError(message, ExitCode.WRONG_USE)
    return owner


def _checked_name(name: str) -> str:
    from app.auth.key_names import is_key_name
    from app.keys.service import BOOTSTRAP_NAME

    if not is_key_name(name):
        raise CommandError("A key's name has 1 to 200 printable characters.", ExitCode.WRONG_USE)
    if name == BOOTSTRAP_NAME:
        raise CommandError(f"The name {BOOTSTRAP_NAME!r} is for the key of POUF_BOOTSTRAP_KEY.", ExitCode.WRONG_USE)
    return name


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"] is not None:
        return f"revoked {moment(key['revoked_at'])}"
    if key["expires_at"] is None:
        return "valid"
    is_over = datetime.fromisoformat(key["expires_at"]) <= datetime.now(UTC)
    return f"{'expired' if is_over else 'until'} {moment(key['expires_at'])}"
