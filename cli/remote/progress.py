"""Waiting for uploads and jobs, with a bar on stderr where that is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from cli.remote.output import note, notes

if TYPE_CHECKING:
    from cli.remote.sources import Upload
    from pouf_client import Client, Dataset, Job


@contextmanager
def progress_bar(count: ProgressColumn | None = None) -> Iterator[Progress]:
    """A bar with a description, a count and the time; on a terminal alone, which it leaves when it is done."""
    shown = count or MofNCompleteColumn()
    columns = TextColumn("{task.description:<24}"), BarColumn(bar_width=30), shown, TimeElapsedColumn()
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        yield bar


def push(client: "Client", upload: "Upload", options: dict[str, Any], *, wait: bool = True) -> "Dataset":
    """Upload, and with `wait` return when the service has read the files.

    Raises:
        DatasetFailed: they could not be read.
        ClientError: the service refused, or went away.
    """
    with progress_bar(DownloadColumn()) as bar:
        task = bar.add_task(f"uploading {upload.name}", total=None)

        def show(sent: int, size: int) -> None:
            bar.update(task, completed=sent, total=size)

        dataset = client.datasets.create(
            upload.source, name=upload.name, modality=upload.modality, on_upload=show, **options
        )
    if not wait:
        return dataset
    try:
        with notes.status("Reading the files"):
            return client.datasets.wait(dataset.id, timeout=None)
    except KeyboardInterrupt:
        note(f"The service goes on reading {dataset.id}; `pouf datasets show {dataset.id}` tells how far it is.")
        raise


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

        # where nobody watches, the service is asked far less often
        return client.jobs.wait(job_id, on_progress=show if notes.is_terminal else None)
