"""Waiting for uploads and jobs, with a bar on stderr where that is a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.remote.output import notes

if TYPE_CHECKING:
    from cli.remote.sources import Upload
    from pouf_client import Client, Dataset, Job

POLL_SECONDS = 0.3


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = TextColumn("{task.description:<24}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        yield bar


def push(client: "Client", upload: "Upload", options: dict[str, Any], *, wait: bool = True) -> "Dataset":
    """Upload, and with `wait` return when the service has read the files.

    Raises:
        CommandError: they could not be read.
        ClientError: the service refused, or went away.
    """
    with notes.status(f"Uploading {upload.name} ({upload.size / 1e6:,.1f} MB)"):
        dataset = client.datasets.create(upload.source, name=upload.name, modality=upload.modality, **options)
    return read(client, dataset.id) if wait else dataset


def read(client: "Client", dataset_id: str) -> "Dataset":
    """The dataset, when the service has read its files.

    Raises:
        CommandError: they could not be read.
    """
    with notes.status("Reading the files"):
        while not (dataset := client.datasets.get(dataset_id)).final:
            time.sleep(POLL_SECONDS)
    if dataset.status == "failed" and (error := dataset.error):
        raise CommandError(f"{dataset_id} failed: {error['message']} ({error['code']})", ExitCode.JOB_FAILED)
    return dataset


def follow(client: "Client", job_id: str) -> "Job":
    """The job, when it has succeeded.

    Raises:
        JobFailed: it ended otherwise.
    """
    with _bar() as bar:
        task = bar.add_task("waiting", total=None)

        def show(job: "Job") -> None:
            stage = (job.stage or job.status).replace("_", " ")
            bar.update(task, description=stage, completed=job.step, total=job.total_steps or None)

        return client.jobs.wait(job_id, on_progress=show)
