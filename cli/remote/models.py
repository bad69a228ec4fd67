"""`pouf models`: what jobs have made."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import CommandError, options
from cli.exit_codes import ExitCode
from cli.remote.connection import Url, connected
from cli.remote.listing import Limit, Name, Yes, remove, show_list
from cli.remote.output import AsJson, moment, note, print_fields, print_json
from cli.wording import gain_in_words

app = typer.Typer(help="List, show, fetch, name and delete adapted models.", no_args_is_help=True)

ModelName = Annotated[str, typer.Argument(help="Its id, mdl_…, or an alias.", show_default=False)]
ModelIds = Annotated[list[str], typer.Argument(help="As `pouf models ls` lists them: mdl_…", show_default=False)]
ALIAS = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
COLUMNS = ("id", "name", "aliases", "base model", "classes", "verdict", "MB", "created")


@app.command()
def ls(limit: Limit = 20, name: Name = None, url: Url = None, as_json: AsJson = False) -> None:
    """List models."""
    with connected(url) as client:
        show_list(client.models.list(name=name), limit, COLUMNS, _cells, as_json=as_json)


def _cells(raw: dict[str, Any]) -> tuple[object, ...]:
    size = "–" if raw.get("size_bytes") is None else f"{raw['size_bytes'] / 1e6:.1f}"
    classes, verdict, made = raw.get("class_count"), raw.get("verdict"), moment(raw["created_at"])
    return raw["id"], raw["name"], _aliases(raw), raw["base_model"], classes, verdict, size, made


def _aliases(raw: dict[str, Any]) -> list[str]:
    return [*raw.get("aliases", []), *(["…"] if raw.get("has_more_aliases") else [])]


@app.command()
def show(model: ModelName, url: Url = None, as_json: AsJson = False) -> None:
    """Show one model."""
    with connected(url) as client:
        found = client.models.get(model)
    if as_json:
        print_json(found.raw)
        return
    gain = found.estimated_gain
    print_fields(
        {
            "id": found.id,
            "name": found.name,
            "aliases": _aliases(found.raw),
            "job": found.job_id,
            "base model": found.base_model,
            "classes": found.class_names,
            "verdict": found.verdict,
            "estimated gain": gain and gain_in_words(gain.points, gain.low, gain.high),
            "answers by default": found.fallback or "adapted",
            "created": moment(found.raw["created_at"]),
        }
    )
    for reason in found.verdict_reasons:
        note(f"  {reason.message} ({reason.code})")


@app.command()
def pull(
    model: ModelName,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; it must be empty or new. Default: the model's name here.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--as", help="numpy, onnx, open_clip or huggingface: for use without this project."),
    ] = None,
    variant: options.Variant = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder, too.", show_default=False)] = None,
    url: Url = None,
) -> None:
    """Fetch a model: a folder that `pouf predict` and `pouf_core.load` read, or an export of it."""
    if variant and not form:
        raise CommandError("--variant goes with --as; the model's own files hold both.", ExitCode.WRONG_USE)
    if folder and out:
        raise CommandError("Give the folder once: behind the model, or with -o.", ExitCode.WRONG_USE)
    with connected(url) as client:
        path = client.models.pull(model, folder or out or Path(model), form, variant=variant)
    if form:
        note(f"Exported {model} to {path}; {path / 'README.md'} says how to use it")
        return
    note(f"Fetched {model} to {path}; `pouf predict {path} FILES` classifies with it")


@app.command()
def alias(
    name: Annotated[str, typer.Argument(help="The name.", show_default=False)],
    model: Annotated[
        str | None, typer.Argument(help="The model that it stands for from now on: its id, or another alias.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Forget the name; its model stays.")] = False,
    url: Url = None,
) -> None:
    """Let a name stand for a model; without a model, say which one it stands for."""
    if not re.fullmatch(ALIAS, name):
        message = f"{name!r} cannot be an alias: letters, digits and ._- only, at most 63 of them."
        raise CommandError(message, ExitCode.WRONG_USE)
    if delete and model:
        raise CommandError("Give a model or --delete, not both.", ExitCode.WRONG_USE)
    with connected(url) as client:
        if delete:
            client.aliases.delete(name)
            note(f"Forgot {name}")
        elif model:
            model_id = client.models.get(model).id
            client.aliases.set(name, model_id)
            note(f"{name} stands for {model_id}")
        else:
            typer.echo(client.aliases.get(name))


@app.command()
def rename(
    model: ModelName,
    name: Annotated[str, typer.Argument(help="Its new name, shown in lists.", show_default=False)],
    url: Url = None,
) -> None:
    """Give a model another name."""
    with connected(url) as client:
        renamed = client.models.rename(model, name)
    note(f"{renamed.id} is called {renamed.name}")


@app.command()
def rm(
    model_ids: ModelIds,
    with_aliases: Annotated[bool, typer.Option("--with-aliases", help="Forget the names that stand for them.")] = False,
    yes: Yes = False,
    url: Url = None,
) -> None:
    """Delete models. One that a name stands for is kept, unless the name may be forgotten, too."""
    with connected(url) as client:

        def delete(model_id: str) -> None:
            if with_aliases:
                for name in client.aliases.list(model_id=model_id):
                    client.aliases.delete(name)
            client.models.delete(model_id)

        remove(model_ids, "models", delete, sure=yes)
