"""`pouf demo`: the whole way from unlabelled pictures to an adapted classifier, over HTTP."""

import csv
import hashlib
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from cli import CommandError
from cli.addresses import why_not_ready
from cli.demo_report import curl_lines, job_bar, print_predictions, print_results
from cli.remote.connection import checked_address
from cli.temporary_service import temporary_service
from pouf_client import Client, ClientError, Dataset, Job

EXAMPLE = Path(__file__).parent.parent / "examples" / "clipart"
QUALITIES = ("fast", "best")
SHOWN_PICTURES = 3

console = Console()


@dataclass(frozen=True)
class Example:
    """Pictures, and labels that serve for nothing but reporting accuracy."""

    pictures: list[Path]
    labels_file: Path
    labels: dict[str, str]

    @property
    def class_names(self) -> list[str]:
        return sorted(set(self.labels.values()))

    @property
    def name(self) -> str:
        """Changes with the content, so that a dataset of this name can be used again."""
        digest = hashlib.sha256(self.labels_file.read_bytes())
        for picture in self.pictures:
            digest.update(picture.name.encode() + b"\0" + picture.read_bytes())
        return f"clipart-{digest.hexdigest()[:12]}"


def run(url: str | None, data_dir: Path, folder: Path | None) -> None:
    """The demo, from start to end.

    Args:
        url: a running service; None starts one and stops it afterwards.
        data_dir: where a service started here keeps its data, and where the adapted models are put.
        folder: holds `images/` and `labels.csv`; None is the example of this repository.

    Raises:
        CommandError: something failed; what was started has been stopped.
    """
    started = time.monotonic()
    example = read_example(folder or EXAMPLE)
    try:
        with running_service(url, data_dir) as base_url, Client(base_url) as client:
            dataset = _dataset(client, example)
            jobs = {quality: _adapt(client, dataset, example, quality) for quality in QUALITIES}
            print_results(console, jobs)
            _predict(client, example, jobs)
            models = {quality: _download(client, job, data_dir, quality) for quality, job in jobs.items()}
    except ClientError as error:
        raise CommandError(f"The demo failed: {error}") from error
    for quality, path in models.items():
        console.print(f"The model of quality {quality} is in {path}", soft_wrap=True, highlight=False)
    console.print("\nThe same by hand:" if url else f"\nThe same by hand, after `pouf up --data-dir {data_dir}`:")
    for line in curl_lines(url or "http://127.0.0.1:8000", example.class_names, dataset, jobs, example.pictures[0]):
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"\nDone in {time.monotonic() - started:.0f} s.")


def read_example(folder: Path) -> Example:
    """The example's files.

    Raises:
        CommandError: they are not there.
    """
    labels_file = folder / "labels.csv"
    pictures = sorted(path for path in (folder / "images").glob("*") if not path.name.startswith("."))
    if not labels_file.is_file() or not pictures:
        raise CommandError(f"{folder} must hold images/ and labels.csv. Name another folder with --pictures.")
    with labels_file.open(newline="", encoding="utf-8") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    return Example(pictures, labels_file, labels)


@contextmanager
def running_service(url: str | None, data_dir: Path) -> Iterator[str]:
    """The URL of the service at `url`, or of one that runs for the length of the block.

    Raises:
        CommandError: that service is not ready.
    """
    if url:
        address = checked_address(url)
        if reason := why_not_ready(address):
            raise CommandError(f"The service at {address} is not ready: {reason}")
        yield address
        return
    with console.status("Starting the service"), temporary_service(data_dir) as service:
        console.print(f"The service is ready on {service.url} after {service.seconds_to_ready:.0f} s")
        yield service.url


def _dataset(client: Client, example: Example) -> Dataset:
    """The example as a dataset, uploaded unless it is already there."""
    for dataset in client.datasets.list(name=example.name, status="ready"):
        console.print(f"Using the {dataset.item_count} pictures uploaded before ({dataset.id})")
        return dataset
    with TemporaryDirectory(prefix="pouf-demo-") as folder:
        archive = Path(folder) / "clipart.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=False) as file:
            for path in [*example.pictures, example.labels_file]:
                file.write(path, path.name)
        dataset = client.datasets.create(archive, name=example.name, wait=True)
    console.print(
        f"Uploaded {dataset.item_count} pictures; {dataset.labelled_count} have a label, "
        "used for nothing but the accuracies below"
    )
    return dataset


def _adapt(client: Client, dataset: Dataset, example: Example, quality: str) -> Job:
    """One finished job."""
    job = client.jobs.create(
        dataset.id, example.class_names, quality=quality, name=f"demo, {quality}", alias=f"demo-{quality}"
    )
    return watch(client, job, quality)


def watch(client: Client, job: Job, description: str) -> Job:
    """The finished job, with a bar that follows its events as they happen."""
    with job_bar(console) as bar:
        task = bar.add_task(description, total=None, stage="waiting")

        for event in client.jobs.events(job.id):
            if stage := event.data.get("stage"):
                total = event.data.get("total_steps") or None
                bar.update(task, stage=stage.replace("_", " "), completed=event.data.get("step", 0), total=total)
        job = client.jobs.wait(job.id)
        bar.update(task, stage="done", completed=1, total=1)
    return job


def _predict(client: Client, example: Example, jobs: dict[str, Job]) -> None:
    step = len(example.pictures) // SHOWN_PICTURES
    pictures = example.pictures[::step][:SHOWN_PICTURES]
    model_id = jobs["best"].model_id
    assert model_id is not None
    print_predictions(console, pictures, client.predict(pictures, model_id, top_k=3), example.labels)


def _download(client: Client, job: Job, data_dir: Path, quality: str) -> Path:
    assert job.model_id is not None
    folder = data_dir / "models" / quality
    if folder.exists():  # of the demo before
        shutil.rmtree(folder)
    return client.models.download(job.model_id, folder)
