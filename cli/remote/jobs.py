"""`pouf jobs`: adaptation jobs, from their start to their predictions."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli import options
from cli.class_names import parse_class_names
from cli.remote import job_options
from cli.remote.connection import Url, connected
from cli.remote.job_events import print_events
from cli.remote.label import Out, Target
from cli.remote.listing import Limit, Name, Yes, remove, show_list
from cli.remote.output import AsJson, moment, note, print_fields, print_json
from cli.remote.progress import follow
from cli.remote.sources import given
from cli.remote.verdicts import class_names_of, print_verdict

if TYPE_CHECKING:
    from pouf_client import Job

app = typer.Typer(help="Start, watch, stop and compare jobs.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(help="As `pouf jobs ls` lists it: job_…", show_default=False)]
JobIds = Annotated[list[str], typer.Argument(help="As `pouf jobs ls` lists them: job_…", show_default=False)]
Status = Literal["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"]
COLUMNS = ("id", "name", "status", "stage", "base model", "classes", "verdict", "created")


@app.command()
def run(
    dataset_id: Annotated[str, typer.Argument(help="As `pouf datasets ls` lists it: ds_…", show_default=False)],
    classes: job_options.Classes,
    base_model: job_options.BaseModel = None,
    activation: options.Activation = None,
    prompt_template: job_options.PromptTemplate = None,
    label_words: options.LabelWords = None,
    text_limit: options.TextLimit = None,
    quality: options.Quality = "fast",
    method: job_options.Method = None,
    class_features: Annotated[str | None, typer.Option(help="For embeddings: the dataset of the classes.")] = None,
    threshold: options.Threshold = None,
    wished_accuracy: options.WishedAccuracy = None,
    seed: options.Seed = 0,
    name: Annotated[str | None, typer.Option(help="Shown in lists.")] = None,
    alias: job_options.Alias = None,
    wait: Annotated[bool, typer.Option(help="Return when it has ended.")] = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Start a job over a dataset, and with --wait follow it to its end; Ctrl-C leaves it running."""
    from cli.label_words import parse_label_words, parse_text_limits
    from cli.thresholds import parse_threshold

    names = parse_class_names(classes)
    request = given(
        base_model=base_model,
        activation=activation,
        prompt_template=prompt_template or None,
        label_words=parse_label_words(label_words or []) or None,
        text_limits=parse_text_limits(text_limit or []) or None,
        method=job_options.parse_method(method or []) or None,
        class_features_dataset_id=class_features,
        threshold=parse_threshold(threshold),
        wished_accuracy=wished_accuracy,
        name=name,
        alias=alias,
    )
    with connected(url) as client:
        job = client.jobs.create(dataset_id, names, quality=quality, seed=seed, **request)
        if wait:
            note(f"Started {job.id}")
            job = follow(client, job.id)
            print_verdict(job)
        _print_job(job, as_json)


def _print_job(job: "Job", as_json: bool) -> None:
    if as_json:
        print_json(job.raw)
    else:
        typer.echo(job.id)


@app.command()
def ls(
    limit: Limit = 20,
    name: Name = None,
    status: Annotated[Status | None, typer.Option(help="Only those in this status.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List jobs."""
    with connected(url) as client:
        show_list(client.jobs.list(name=name, status=status), limit, COLUMNS, _cells, as_json=as_json)


def _cells(raw: dict[str, Any]) -> tuple[object, ...]:
    state = raw["id"], raw["name"], raw["status"], raw["stage"]
    return *state, raw["base_model"], raw.get("class_count"), raw.get("verdict"), moment(raw["created_at"])


@app.command()
def show(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Show one job."""
    with connected(url) as client:
        job = client.jobs.get(job_id)
    if as_json:
        print_json(job.raw)
        return
    print_fields(
        {
            "id": job.id,
            "name": job.name,
            "status": job.status,
            "stage": job.stage and job.stage.replace("_", " "),
            "progress": f"{job.step:,} of {job.total_steps:,}" if job.total_steps else None,
            "place in the queue": job.raw.get("queue_position"),
            "dataset": job.dataset_id,
            "base model": job.raw["base_model"],
            "classes": class_names_of(job),
            "model": job.model_id,
            "error": job.error and f"{job.error['message']} ({job.error['code']})",
            "created": moment(job.raw["created_at"]),
            "finished": moment(job.raw["finished_at"]),
        }
    )
    print_verdict(job)


@app.command()
def logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of the API's JSON.")] = False,
) -> None:
    """Print what has happened to a job, event by event."""
    with connected(url) as client:
        print_events(client, job_id, follow=follow, as_json=as_json)


@app.command()
def wait(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Return when a job has ended; the exit code says whether it succeeded."""
    with connected(url) as client:
        job = follow(client, job_id)
    print_verdict(job)
    _print_job(job, as_json)


@app.command()
def predictions(job_id: JobId, out: Out = None, url: Url = None) -> None:
    """Save what a job says of each item of its dataset, as `pouf label` does."""
    target = Target.of(out, job_id)
    with connected(url) as client:
        target.receive(client, job_id)
    note(f"Wrote {target.place}")


@app.command()
def cancel(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Stop a job for good."""
    with connected(url) as client:
        _print_state(client.jobs.cancel(job_id), as_json)


@app.command()
def pause(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Stop a job for now; it keeps its progress."""
    with connected(url) as client:
        _print_state(client.jobs.pause(job_id), as_json)


@app.command()
def resume(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Let a paused job go on."""
    with connected(url) as client:
        _print_state(client.jobs.resume(job_id), as_json)


@app.command()
def retry(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Run a failed or cancelled job again, under its id."""
    with connected(url) as client:
        _print_state(client.jobs.retry(job_id), as_json)


def _print_state(job: "Job", as_json: bool) -> None:
    if as_json:
        print_json(job.raw)
    else:
        note(f"{job.id} is {job.status}")


@app.command()
def rm(job_ids: JobIds, yes: Yes = False, url: Url = None) -> None:
    """Delete jobs that have ended, with their predictions; their models stay."""
    with connected(url) as client:
        remove(job_ids, "jobs", client.jobs.delete, sure=yes)


@app.command()
def compare(
    first: JobId,
    second: JobId,
    limit: Annotated[int, typer.Option(help="How many differing items to show.", min=1, max=100)] = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Compare the predictions of two jobs over one dataset."""
    from cli.remote.comparisons import print_comparison

    with connected(url) as client:
        comparison = client.jobs.compare(first, second, limit=limit)
    if as_json:
        print_json(comparison)
    else:
        print_comparison(comparison)
