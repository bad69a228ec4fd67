"""A sample of what somebody is about to upload: what is read of it, and what was found."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pouf_core.contract.base_model import Modality
from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.file_reading import ColumnCandidate, FileReading, TextFileOptions
from pouf_core.contract.findings import Finding
from pouf_core.contract.labels import LabelSource, LabelsWanted
from pouf_core.contract.rejections import RejectionGroup, SkipReason


class SampledFile(BaseModel):
    """A received file: its name as uploaded, where it lies, its bytes and their SHA-256."""

    model_config = ConfigDict(extra="forbid")

    filename: str
    path: Path
    size: int
    sha256: str


class SampleLimits(BaseModel):
    """What reading a sample may take; all are as in `UploadLimits`, but:

    Attributes:
        seconds: by the clock, after which no more is read.
    """

    model_config = ConfigDict(extra="forbid")

    items: int
    rows: int
    item_bytes: int
    archive_entries: int
    archive_ratio: float
    pixels: int
    memory_bytes: int
    cpu_seconds: float
    seconds: float


class SampleRequest(BaseModel):
    """What a sample is to be read of.

    Attributes:
        scratch: a directory to work in, which its owner removes.
        text_options: what is known of files of texts.
    """

    model_config = ConfigDict(extra="forbid")

    files: list[SampledFile]
    modality: RequestedModality
    scratch: Path
    limits: SampleLimits
    text_column: str | None = None
    label_column: str | None = None
    text_options: TextFileOptions = TextFileOptions()
    labels: LabelsWanted = "auto"


class SampledItem(BaseModel):
    """An entry of the sample; `text` and `text_pair` are cut, `code` and `message` say why it is rejected."""

    model_config = ConfigDict(extra="forbid")

    name: str
    status: str
    text: str | None
    text_pair: str | None
    label: str | None
    code: str | None
    message: str | None


class SampleFailure(BaseModel):
    """Why a dataset of these files would fail; `candidates` are the columns to choose from, of `table_ambiguous`."""

    model_config = ConfigDict(extra="forbid")

    code: str
    message: str
    candidates: list[ColumnCandidate] = []


class SampleFindings(BaseModel):
    """What was found.

    Attributes:
        complete: whether everything was read, so that a dataset would have the same numbers.
        items: the first entries.
    """

    model_config = ConfigDict(extra="forbid")

    complete: bool
    modality: Modality
    text_pairs: bool
    readings: list[FileReading]
    item_count: int
    duplicate_count: int
    rejected_count: int
    skipped: dict[SkipReason, int]
    labelled_count: int
    label_source: LabelSource
    embedding_width: int | None
    embedding_templates: int | None
    suggested_class_names: list[str]
    rejections: list[RejectionGroup]
    warnings: list[Finding]
    items: list[SampledItem]


class Sample(SampleFindings):
    """What was found; `failure` is None where a dataset of these files can be used."""

    failure: SampleFailure | None
