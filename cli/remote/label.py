"""`pouf label`: from files and class names to a table of labels, in one command."""

import csv
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cli import CommandError, options
from cli.class_names import parse_class_names
from cli.exit_codes import ExitCode
from cli.output_file import refuse_source, refuse_unwritable, replaced
from cli.remote import job_options
from cli.remote.connection import connected, default_url, named_url, why_no_service
from cli.remote.output import AsJson, note, print_json
from cli.remote.progress import follow, push
from cli.remote.sources import Modality, Sources, TextColumn, Upload, given, name_rejected
from cli.remote.verdicts import print_verdict
from pouf_core.data.shown_text import harmless

if TYPE_CHECKING:
    from pouf_client import Client, Dataset, Job

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
SHOWN_CLASSES = 8
STDOUT = Path("-")

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="A .csv, .jsonl or .parquet, or - for stdout. Default: NAME-labels.csv here.",
        show_default=False,
    ),
]  # fmt: skip

SomeUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The service. Default: POUF_URL, unless there is --data-dir; else the one that runs here. "
        "Its key comes from POUF_API_KEY.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Target:
    """Where the labels go, and as what."""

    path: Path
    format: str

    @classmethod
    def of(cls, chosen: Path | None, name: str) -> "Target":
        """The file that was chosen, or a new one called after the data.

        Raises:
            CommandError: the file cannot be written, or nobody chose it and it is there already.
        """
        path = chosen or Path(f"{Path(name).stem or 'data'}-labels.csv")
        if path == STDOUT:
            return cls(path, "csv")
        if chosen is None and path.exists():
            raise CommandError(f"{path} is there already; say with -o where to write.", ExitCode.WRONG_USE)
        refuse_unwritable(path)
        if path.suffix.lower() not in FORMATS:
            raise CommandError(f"{path}: give a name that ends in {', '.join(FORMATS)}.", ExitCode.WRONG_USE)
        return cls(path, FORMATS[path.suffix.lower()])

    @property
    def place(self) -> str:
        """In words."""
        return "stdout" if self.path == STDOUT else str(self.path)

    def receive(self, client: "Client", job_id: str) -> Counter[str]:
        """Write a job's labels, and return how often each was given, as far as the format tells."""
        with TemporaryDirectory(prefix="pouf-labels-") as folder:
            received = client.jobs.save_predictions(job_id, Path(folder) / "labels", format=self.format)
            if self.path == STDOUT:
                labels = received.read_text(encoding="utf-8")
                sys.stdout.write(harmless(labels) if sys.stdout.isatty() else labels)
            else:
                with replaced(self.path) as part:
                    shutil.copyfile(received, part)
            return _counts(received) if self.format == "csv" else Counter()


def label(
    data: Sources,
    classes: job_options.Classes,
    out: Out = None,
    quality: options.Quality = "fast",
    base_model: job_options.BaseModel = None,
    activation: options.Activation = None,
    prompt_template: job_options.PromptTemplate = None,
    threshold: options.Threshold = None,
    modality: Modality = "auto",
    text_column: TextColumn = None,
    alias: job_options.Alias = None,
    seed: options.Seed = 0,
    url: SomeUrl = None,
    data_dir: options.DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Label pictures or texts: from a folder and class names to a CSV, in one command.

    Uses the service that runs here or at --url; else starts one for the time, whose dataset, job and model stay in the
    data directory, for `pouf up`.
    """
    from cli.thresholds import parse_threshold

    names = parse_class_names(classes)
    upload = Upload.of(data, modality)
    target = Target.of(out, upload.name)
    refuse_source(target.path, data)
    if as_json and target.path == STDOUT:
        raise CommandError("--json prints the job to stdout; give -o a file for the labels.", ExitCode.WRONG_USE)
    request = given(
        base_model=base_model,
        activation=activation,
        prompt_template=prompt_template or None,
        threshold=parse_threshold(threshold),
        alias=alias,
    )
    with _some_service(named_url(url, data_dir), data_dir) as client:
        dataset = push(client, upload, given(text_column=text_column))
        job = client.jobs.create(dataset.id, names, quality=quality, seed=seed, name=upload.name, **request)
        job = _finished(client, job.id)
        counts = target.receive(client, job.id)
        if as_json:
            print_json(client.jobs.get(job.id).raw)
        _tell(job, dataset, target, counts)
        rejected = name_rejected(client, dataset)
    if rejected:
        raise typer.Exit(ExitCode.PARTLY)


@contextmanager
def _some_service(url: str | None, data_dir: Path | None) -> "Iterator[Client]":
    """The service at `url`; else one that runs here; else one that other commands may use, too, until none does."""
    from cli.supervisor import settings_with
    from cli.temporary_service import shared_service

    if url:
        with connected(url) as client:
            yield client
        return
    running = None if data_dir else default_url()
    if running and why_no_service(running) is None:
        note(f"Using the service at {running}")
        with connected(running) as client:
            yield client
        return
    with shared_service(settings_with(data_dir=data_dir).data_dir, note) as address, connected(address) as client:
        yield client


def _finished(client: "Client", job_id: str) -> "Job":
    """The job, when it has succeeded; Ctrl-C cancels it."""
    from pouf_client import ClientError

    try:
        return follow(client, job_id)
    except KeyboardInterrupt:
        with suppress(ClientError):  # the job may have ended just now
            client.jobs.cancel(job_id)
            note(f"Cancelled {job_id}; `pouf jobs retry {job_id}` runs it again.")
        raise


def _counts(table: Path) -> Counter[str]:
    with table.open(newline="", encoding="utf-8") as file:
        return Counter(row["label"] or "none of these" for row in csv.DictReader(file))


def _tell(job: "Job", dataset: "Dataset", target: Target, counts: Counter[str]) -> None:
    from pouf_core.contract.counts import counted

    print_verdict(job)
    if counts:
        common = [f"{name} {count:,}" for name, count in counts.most_common(SHOWN_CLASSES)]
        more = len(counts) - len(common)
        note(f"Labels: {', '.join(common)}" + (f" and {counted(more, 'more class')}" if more else ""))
    labelled = counted(dataset.item_count or 0, "item")
    note(f"Wrote the labels of {labelled} to {target.place} (job {job.id}, model {job.model_id})")
