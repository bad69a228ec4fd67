"""`pouf predict`: with a model here, or at a service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import CommandError, options
from cli.exit_codes import ExitCode
from cli.output_file import refuse_source
from cli.remote.connection import Url, connected
from cli.remote.sources import TextColumn

if TYPE_CHECKING:
    from cli.predictions.answers import Said
    from cli.predictions.options import Options

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="A .csv or .jsonl to write. Default: lines on stdout.", show_default=False),
]


def predict(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A model's folder or zip; or, at a service, its id or alias.", show_default=False)
    ],
    items: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, or folders or archives of them; for a model of texts, tables or the texts themselves; for "
            "one of embeddings, files of them.",
            show_default=False,
        ),
    ],
    top_k: Annotated[int, typer.Option(help="How many classes to show for each.", min=1)] = 1,
    variant: options.Variant = None,
    threshold: options.Threshold = None,
    text_column: TextColumn = None,
    out: Out = None,
    device: Annotated[str, typer.Option(help="With a model here: auto, cpu, cuda or cuda:N.")] = "auto",
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")] = False,
) -> None:
    """Classify pictures, texts or embeddings with an adapted model: one that lies here, or one of a service.

    A model's folder or zip is used here unless --url is given; what is neither is a model of the service. What cannot
    be read is named, and the rest is done (exit code 7).
    """
    from cli.predictions.answers import show_all, showing
    from cli.predictions.options import Options
    from cli.thresholds import parse_threshold

    refuse_source(out, items)
    wanted = Options(top_k, variant, parse_threshold(threshold), text_column)
    source = context.get_parameter_source("url")
    here = Path(model).exists() and not (source and source.name == "COMMANDLINE")
    with _answers(here, model, items, wanted, device, url) as answers, showing(out, as_json=as_json) as show:
        code = show_all(answers, show)
    if code:
        raise typer.Exit(code)


@contextmanager
def _answers(
    here: bool, model: str, items: list[str], wanted: "Options", device: str, url: str | None
) -> "Iterator[Iterator[Said]]":
    if here:
        from cli.predictions.local import answers_here

        yield answers_here(Path(model), items, wanted, device)
        return
    if "/" in model or model.endswith(".zip"):  # no id, and no alias that anyone would choose
        raise CommandError(f"There is no model's folder or zip {model}.", ExitCode.WRONG_USE)
    from cli.predictions.remote import answers_there

    with connected(url) as client:
        yield answers_there(client, model, items, wanted)
