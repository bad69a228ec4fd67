"""Dry runs: a sample of what is uploaded, read as ingestion would read it, and nothing kept."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from app.caller import Caller
from app.datasets.schemas import DatasetForm
from app.http.budgets import Holding
from app.http.errors import ApiError, invalid, which_column
from app.http.received_files import StagedFile
from app.http.schemas import Document
from pouf_core.contract.sample import SampledFile, SampleFailure, SampleFindings, SampleLimits, SampleRequest
from pouf_core.data.uploads.limits import UploadLimits
from store.settings import Settings

READING_SECONDS = 5.0


class DatasetSampleDocument(SampleFindings, Document):
    """What a dataset of the files would be, as far as a sample tells; fields as in a dataset's document.

    `complete` says whether everything was read; `items` are the first entries.
    """

    object: Literal["dataset_sample"]


async def take(
    caller: Caller, form: DatasetForm, files: list[StagedFile], scratch: Path, holding: Holding
) -> DatasetSampleDocument:
    """Return what a dataset of these files would be, as far as a sample tells.

    Raises 422 ``table_ambiguous`` with the columns to choose from, 422 ``no_usable_items``, or as `Samples.take`.
    """
    request = SampleRequest(
        files=[SampledFile(filename=one.filename, path=one.path, size=one.size, sha256=one.sha256) for one in files],
        modality=form.modality,
        scratch=scratch,
        limits=_limits(caller.state.settings),
        text_column=form.text_column,
        label_column=form.label_column,
        text_options=form.text_options,
        labels=form.labels,
    )
    sample = await caller.state.samples.take(request, holding.owner)
    if sample.failure is not None:
        raise _failure(sample.failure)
    return DatasetSampleDocument(object="dataset_sample", **sample.model_dump(exclude={"failure"}))


def _limits(settings: Settings) -> SampleLimits:
    limits = asdict(UploadLimits.of(settings))
    del limits["extracted_bytes"]  # a sample stores nothing
    return SampleLimits(**limits, seconds=READING_SECONDS)


def _failure(failure: SampleFailure) -> ApiError:
    if failure.candidates:
        return ApiError(422, failure.code, failure.message, which_column(failure.candidates))
    return invalid(failure.code, failure.message, "/files")
