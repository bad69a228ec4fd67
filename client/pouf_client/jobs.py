"""Adaptation jobs over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import cast

from pouf_client.blocking import blocking, blocking_iterator
from pouf_client.class_names import ClassName, listed_class_names
from pouf_client.connection import Connection, checked_id, path_to
from pouf_client.errors import ApiError, JobFailed, Unreachable
from pouf_client.predictions import AsyncDatasetPredictions, DatasetPredictions, JobComparison
from pouf_client.resources import Event, Job
from pouf_client.results import Document, stated
from pouf_client.waiting import until_final

RECONNECT_SECONDS = 1.0
RECONNECT_TRIES = 60
#: Begins the line of an event stream that holds the event.
DATA = "data:"


class AsyncJobs(AsyncDatasetPredictions):
    """`client.jobs` of an `AsyncClient`."""

    _collection = "jobs"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        dataset_id: str,
        class_names: Sequence[ClassName],
        *,
        base_model: str | None = None,
        class_features_dataset_id: str | None = None,
        activation: str | None = None,
        prompt_template: str | Sequence[str] | None = None,
        label_words: Mapping[str, str | Sequence[str]] | None = None,
        text_limits: Mapping[str, int] | None = None,
        logit_scale: float | None = None,
        quality: str | None = None,
        method: Mapping[str, object] | None = None,
        seed: int = 0,
        threshold: float | str | None = None,
        wished_accuracy: float | None = None,
        name: str | None = None,
        alias: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Job:
        """Submit a job; it waits by itself for a dataset that is still being read.

        Args:
            dataset_id: what to adapt to.
            class_names: names, or `{"name": …, "prompt": …}` where the wording differs from the label.
            base_model: what to adapt; None: `pouf-lite` for pictures, `minilm` for texts, `features` for embeddings.
            class_features_dataset_id: for embeddings, a dataset of the classes' vectors: K, or T × K for T templates.
            activation: of an `open_clip:` model given as a file of weights, `gelu` or `quick_gelu`.
            prompt_template: with `{}` for the class, or several; `{text}` and `{mask}` for a language model.
            label_words, text_limits: for a language model, class name to its words at the mask; tokens read at most.
            logit_scale, quality: what cosines of embeddings are multiplied by; `fast` (None) or `best`.
            method: the `method` object of the HTTP contract; what is left out is chosen by the service.
            seed: the same seed and data give the same model.
            threshold: below this probability an input gets no class; `auto`: the one proposed for `wished_accuracy`.
            name, alias, metadata: shown in lists; moved to the new model when the job succeeds; at most 16 pairs.

        Raises:
            InvalidInput: the class names are no list, or the service refused.
        """
        body = {
            "dataset_id": checked_id(dataset_id, "dataset"),
            "class_names": listed_class_names(class_names),
            "seed": seed,
            "metadata": dict(metadata or {}),
            "base_model": base_model,
            "class_features_dataset_id": class_features_dataset_id,
            "activation": activation,
            "name": name,
            "alias": alias,
            "prompt_template": prompt_template,
            "label_words": label_words,
            "text_limits": text_limits,
            "logit_scale": logit_scale,
            "quality": quality,
            "method": method,
            "threshold": threshold,
            "wished_accuracy": wished_accuracy,
        }
        return Job.of(await self._connection.request("POST", path_to("jobs"), json=stated(body)))

    async def get(self, job_id: str) -> Job:
        """One job."""
        return Job.of(await self._connection.request("GET", path_to("jobs", job_id)))

    def list(self, *, name: str | None = None, status: str | None = None) -> AsyncIterator[Job]:
        """Jobs, newest first, page after page; `raw` has no class names in lists."""
        return (Job.of(raw) async for raw in self._connection.pages(path_to("jobs"), name=name, status=status))

    async def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; it is `cancelled` soon after."""
        return Job.of(await self._connection.request("POST", path_to("jobs", job_id, "cancel")))

    async def pause(self, job_id: str) -> Job:
        """Ask a job to stop for now; it is `paused` soon after and keeps its progress."""
        return Job.of(await self._connection.request("POST", path_to("jobs", job_id, "pause")))

    async def resume(self, job_id: str) -> Job:
        """Let a paused job go on."""
        return Job.of(await self._connection.request("POST", path_to("jobs", job_id, "resume")))

    async def delete(self, job_id: str) -> None:
        """Delete a job that has ended; its model stays."""
        await self._connection.request("DELETE", path_to("jobs", job_id))

    async def retry(self, job_id: str) -> Job:
        """Run a failed or cancelled job again under the same id."""
        return Job.of(await self._connection.request("POST", path_to("jobs", job_id, "retry")))

    async def compare(self, first_id: str, second_id: str, *, limit: int = 20) -> JobComparison:
        """Compare two jobs over one dataset.

        Args:
            first_id, second_id: the jobs.
            limit: items on which they differ, at most 100.

        Raises:
            ApiError: they are over different datasets, or have no predictions.
        """
        query: dict[str, str | int] = {"jobs": f"{first_id},{second_id}", "limit": limit}
        return cast(JobComparison, await self._connection.request("GET", path_to("jobs", "compare"), params=query))

    async def metrics(self, job_id: str) -> Sequence[Document]:
        """The numbers of each training step."""
        return [entry async for entry in self._connection.pages(path_to("jobs", job_id, "metrics"))]

    def past_events(self, job_id: str) -> AsyncIterator[Event]:
        """What has happened to a job so far, in order."""
        return (Event.of(raw) async for raw in self._connection.pages(path_to("jobs", job_id, "events")))

    async def events(self, job_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """What happens to a job, as it happens, until it has ended. A broken connection is taken up where it broke, and
        a service that briefly refuses is asked again.

        Args:
            job_id: the job.
            after: leave out events up to this `seq`.

        Raises:
            ApiError: the job is unknown.
            Unreachable: the service stayed away for about a minute.
        """
        tries = RECONNECT_TRIES
        while True:
            try:
                async for event in self._event_stream(job_id, after):
                    after, tries = event.seq, RECONNECT_TRIES
                    yield event
                if (await self.get(job_id)).final:
                    # What came between the end of the stream and the look at the job.
                    async for event in self._event_stream(job_id, after):
                        after = event.seq
                        yield event
                    return
            except (Unreachable, ApiError) as error:
                tries -= 1
                if not (tries and error.passing):
                    raise
            await self._connection.pause(RECONNECT_SECONDS)

    async def _event_stream(self, job_id: str, after: int) -> AsyncIterator[Event]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        async for line in self._connection.lines(path_to("jobs", job_id, "events"), headers):
            # An event is one document, which stands in one line: JSON has no line breaks.
            if line.startswith(DATA):
                yield Event.of(json.loads(line.removeprefix(DATA)))

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        on_progress: Callable[[Job], None] | None = None,
        progress: bool = False,
    ) -> Job:
        """Return the job when it has succeeded. Jobs go on when nobody waits.

        Args:
            job_id: the job.
            timeout: seconds to wait at most; None: as long as it takes.
            on_progress: called with the job's state whenever it has changed, about once a second.
            progress: show a bar, by rich or tqdm.

        Raises:
            JobFailed: it ended without success.
            WaitTimeout: `timeout` seconds have passed.
            NotFound: the job is unknown; `Deleted` where it was deleted meanwhile.
            Unreachable: the service stayed away for about a minute.
        """

        async def read(seconds: int) -> Job:
            return Job.of(await self._connection.request("GET", path_to("jobs", job_id), wait=seconds))

        job = await until_final(self._connection, read, timeout=timeout, on_progress=on_progress, progress=progress)
        if job.status != "succeeded":
            raise JobFailed(job.id, job.status, job.error)
        return job


class Jobs(DatasetPredictions[AsyncJobs]):
    """`client.jobs`."""

    create = blocking(AsyncJobs.create)
    get = blocking(AsyncJobs.get)
    list = blocking_iterator(AsyncJobs.list)
    cancel = blocking(AsyncJobs.cancel)
    pause = blocking(AsyncJobs.pause)
    resume = blocking(AsyncJobs.resume)
    delete = blocking(AsyncJobs.delete)
    retry = blocking(AsyncJobs.retry)
    compare = blocking(AsyncJobs.compare)
    metrics = blocking(AsyncJobs.metrics)
    past_events = blocking_iterator(AsyncJobs.past_events)
    events = blocking_iterator(AsyncJobs.events)
    wait = blocking(AsyncJobs.wait)
