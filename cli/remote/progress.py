"""Waiting for uploads and jobs, with a bar on stderr where that is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.remote.output import notes

if TYPE_CHECKING:
    from cli.remote.sources import Upload
    from pouf_client import Client, Dataset, Job


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar with a description, a count and the time; on a terminal alone, which it leaves when it is done."""
    columns = TextColumn("{task.description:<24}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        yield bar


def push(client: "Client", upload: "Upload", options: dict[str, Any], *, wait: bool = True) -> "Dataset":
    """Upload, and with `wait` return when the service has read the files.

    Raises:
        DatasetFailed: they could not be read.
        ClientError: the service refused, or went away.
    """
    with notes.status(f"Uploading {upload.name} ({upload.size / 1e6:,.1f} MB)"):
        dataset = client.datasets.create(upload.source, name=upload.name, modality=upload.modality, **options)
    if not wait:
        return dataset
    with notes.status("Reading the files"):
        return client.datasets.wait(dataset.id, timeout=None)


def follow(client: "Client", job_id: str) -> "Job":
    """The job, when it has succeeded.

    Raises:
        JobFailed: it ended otherwise.
    """
    with progress_bar() as bar:
        task = bar.add_task("waiting", total=None)

        def show(job: "Job") -> None:
            stage = (job.stage or job.status).replace("_", " ")
            bar.update(task, description=stage, completed=job.step, total=job.total_steps or None)

        return client.jobs.wait(job_id, on_progress=show)
