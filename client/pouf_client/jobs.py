"""Adaptation jobs over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from httpx_sse import EventSource

from pouf_client.connection import Connection
from pouf_client.errors import ApiError, JobFailed, Unreachable
from pouf_client.predictions import DatasetPredictions, JobComparison
from pouf_client.resources import Event, Job
from pouf_client.results import Document

RECONNECT_SECONDS = 1.0
RECONNECT_TRIES = 60


class Jobs(DatasetPredictions):
    """`client.jobs`."""

    _path = "/v1/jobs"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        dataset_id: str,
        class_names: Sequence[str | Mapping[str, str]],
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
            label_words: for a language model, class name to the word, or words, that stand for it at the mask.
            text_limits: for a language model, tokens read at most, by `text`, `text_a`, `text_b`.
            logit_scale, quality: what cosines of embeddings are multiplied by; `fast` (None) or `best`.
            method: the `method` object of the HTTP contract; what is left out is chosen by the service.
            seed: the same seed and data give the same model.
            threshold: below this probability an input gets no class; `auto`: the one proposed for `wished_accuracy`.
            name, alias, metadata: shown in lists; moved to the new model when the job succeeds; at most 16 pairs.

        Raises:
            ApiError: the service refused.
        """
        body: Document = {"dataset_id": dataset_id, "class_names": list(class_names), "seed": seed}
        optional = {
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
        body |= {field: value for field, value in optional.items() if value is not None}
        body["metadata"] = dict(metadata or {})
        return Job.of(self._connection.request("POST", "/v1/jobs", json=body))

    def get(self, job_id: str) -> Job:
        """One job."""
        return Job.of(self._connection.request("GET", f"/v1/jobs/{job_id}"))

    def list(self, *, name: str | None = None, status: str | None = None) -> Iterator[Job]:
        """Jobs, newest first; `raw` has no class names in lists."""
        return (Job.of(raw) for raw in self._connection.pages("/v1/jobs", name=name, status=status))

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; it is `cancelled` soon after."""
        return Job.of(self._connection.request("POST", f"/v1/jobs/{job_id}/cancel"))

    def pause(self, job_id: str) -> Job:
        """Ask a job to stop for now; it is `paused` soon after and keeps its progress."""
        return Job.of(self._connection.request("POST", f"/v1/jobs/{job_id}/pause"))

    def resume(self, job_id: str) -> Job:
        """Let a paused job go on."""
        return Job.of(self._connection.request("POST", f"/v1/jobs/{job_id}/resume"))

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended; its model stays."""
        self._connection.request("DELETE", f"/v1/jobs/{job_id}")

    def retry(self, job_id: str) -> Job:
        """Run a failed or cancelled job again under the same id."""
        return Job.of(self._connection.request("POST", f"/v1/jobs/{job_id}/retry"))

    def compare(self, first_id: str, second_id: str, *, limit: int = 20) -> JobComparison:
        """Compare two jobs over one dataset.

        Args:
            first_id, second_id: the jobs.
            limit: items on which they differ, at most 100.

        Raises:
            ApiError: they are over different datasets, or have no predictions.
        """
        query: dict[str, str | int] = {"jobs": f"{first_id},{second_id}", "limit": limit}
        return cast(JobComparison, self._connection.request("GET", f"{self._path}/compare", params=query))

    def metrics(self, job_id: str) -> Sequence[Document]:
        """The numbers of each training step."""
        return list(self._connection.pages(f"/v1/jobs/{job_id}/metrics"))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
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
                for event in self._event_stream(job_id, after):
                    after, tries = event.seq, RECONNECT_TRIES
                    yield event
                if self.get(job_id).final:
                    # What came between the end of the stream and the look at the job.
                    yield from self._event_stream(job_id, after)
                    return
            except (Unreachable, ApiError) as error:
                tries -= 1
                if not (tries and error.passing):
                    raise
            time.sleep(RECONNECT_SECONDS)

    def _event_stream(self, job_id: str, after: int) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        with self._connection.stream(f"/v1/jobs/{job_id}/events", headers=headers) as response:
            for message in EventSource(response).iter_sse():
                if message.data:
                    yield Event.of(message.json())

    def wait(self, job_id: str, *, on_progress: Callable[[Job], None] | None = None) -> Job:
        """Return the job when it has succeeded.

        Args:
            job_id: the job.
            on_progress: called with the job's present state at each of its events.

        Raises:
            JobFailed: it ended without success.
        """
        if on_progress:
            on_progress(self.get(job_id))
        for _ in self.events(job_id):
            if on_progress:
                on_progress(self.get(job_id))
        job = self.get(job_id)
        if job.status != "succeeded":
            code, message = (job.error["code"], job.error["message"]) if job.error else (None, None)
            raise JobFailed(job.id, job.status, code, message)
        return job
