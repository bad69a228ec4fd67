"""Datasets: the upload form and the documents."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from app.http.errors import ProblemField, problem_field, which_column
from app.http.query_parameters import ListQuery, PageQuery
from app.http.schemas import METADATA, NAME, Closed, Document, ErrorBody
from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.file_reading import ColumnCandidate, FileReading, TextFileOptions
from pouf_core.contract.findings import Finding
from pouf_core.contract.labels import LabelSource, LabelsWanted
from pouf_core.contract.rejections import RejectionGroup, SkipReason
from pouf_core.data.dialects import divides_cells
from pouf_core.data.encodings import encoding_named
from pouf_core.errors import InvalidInput
from store.tables import Dataset, DatasetItem, Upload

DATASET_STATUS = Literal["uploading", "ingesting", "ready", "failed"]
FINAL_DATASET_STATUSES = frozenset({"ready", "failed"})

_SKIP_REASONS = get_args(SkipReason)  # those of a newer version are passed over


def _empty_is_absent(value: object) -> object:
    return None if value == "" else value


def _named_tab(value: object) -> object:
    return "\t" if value in ("\\t", "tab") else _empty_is_absent(value)


COLUMN = Annotated[str | None, Field(max_length=255), BeforeValidator(_empty_is_absent)]
DELIMITER = Annotated[str | None, Field(min_length=1, max_length=1), BeforeValidator(_named_tab)]
HEADER = Annotated[bool | None, BeforeValidator(_empty_is_absent)]


class ReadingOptions(Closed):
    """How uploaded files are to be read."""

    modality: RequestedModality = "auto"
    text_column: COLUMN = None
    label_column: COLUMN = None
    encoding: COLUMN = None
    delimiter: DELIMITER = None
    header: HEADER = None
    labels: LabelsWanted = "auto"

    @field_validator("text_column", "label_column", "encoding", "delimiter", "header")
    @classmethod
    def _is_of_texts(cls, value: str | bool | None, info: ValidationInfo) -> str | bool | None:
        modality = info.data.get("modality")
        labels_pictures = info.field_name == "label_column" and modality == "image"  # by a table beside them
        if value is not None and modality in ("image", "embedding") and not labels_pictures:
            raise ValueError(f"This is of files of texts, and the modality is {modality}.")
        return value

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                encoding_named(name)
            except InvalidInput as error:
                raise ValueError(error.message) from error
        return name

    @field_validator("delimiter")
    @classmethod
    def _divides_cells(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and not divides_cells(delimiter):
            raise ValueError("This cannot divide cells.")
        return delimiter

    @property
    def text_options(self) -> TextFileOptions:
        """What is said of files of texts beside the names of columns."""
        return TextFileOptions(encoding=self.encoding, delimiter=self.delimiter, header=self.header)


class DatasetForm(ReadingOptions):
    """The text fields of an upload."""

    name: Annotated[NAME | None, BeforeValidator(_empty_is_absent)] = None
    finalize: bool = True
    metadata: METADATA = {}


class DatasetCreateQuery(Closed):
    """How a dataset is created."""

    dry_run: Annotated[
        bool, Field(description="Only read a sample of the files, say what a dataset of them would be, keep nothing.")
    ] = False


class DatasetListQuery(ListQuery):
    """A page of datasets."""

    status: DATASET_STATUS | None = None


class ItemListQuery(PageQuery):
    """A page of a dataset's items."""

    status: Literal["accepted", "duplicate", "rejected"] | None = None


class ArchiveQuery(Closed):
    """Parameters of the streamed archive."""

    filename: Annotated[str | None, Field(max_length=255, description="Name to keep the archive under.")] = None


class DatasetErrorBody(ErrorBody):
    """Why a dataset failed; `errors` has the columns to choose `text_column` from where it is `table_ambiguous`."""

    errors: list[ProblemField]


class DatasetSummaryDocument(Document):
    """Target data in a list."""

    object: Literal["dataset"]
    id: str
    name: str | None
    metadata: dict[str, str]
    modality: RequestedModality
    text_pairs: bool
    text_column: str | None
    label_column: str | None
    labels: LabelsWanted
    label_source: LabelSource | None
    encoding: str | None
    delimiter: str | None
    header: bool | None
    readings: list[FileReading]
    rejections: list[RejectionGroup]
    skipped: dict[SkipReason, int]
    warnings: list[Finding]
    status: DATASET_STATUS
    upload_count: int
    upload_bytes: int
    item_count: int
    duplicate_count: int
    rejected_count: int
    labelled_count: int
    embedding_width: int | None
    embedding_templates: int | None
    fingerprint: str | None
    error: DatasetErrorBody | None
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    urls: dict[str, str]


class DatasetDocument(DatasetSummaryDocument):
    """Target data."""

    suggested_class_names: list[str] | None


class DatasetItemDocument(Document):
    """A file, text or vector that ingestion found; of a long text its beginning is shown."""

    object: Literal["dataset_item"]
    name: str
    text: str | None
    text_pair: str | None
    label: str | None
    sha256: str | None
    size: int | None
    status: Literal["accepted", "duplicate", "rejected"]
    code: str | None
    message: str | None


class DatasetFileDocument(Document):
    """A file as it was uploaded."""

    object: Literal["dataset_file"]
    filename: str
    sha256: str
    size: int
    created_at: datetime


def show_dataset(dataset: Dataset, totals: tuple[int, int]) -> DatasetDocument:
    """Return the dataset's document; `totals` is (number, bytes) of its uploads."""
    return DatasetDocument(
        **dict(show_dataset_summary(dataset, totals)), suggested_class_names=dataset.suggested_class_names
    )


def show_dataset_summary(dataset: Dataset, totals: tuple[int, int]) -> DatasetSummaryDocument:
    """Return what a list says of the dataset; arguments as for `show_dataset`."""
    url = f"/v1/datasets/{dataset.id}"
    return DatasetSummaryDocument(
        object="dataset",
        id=dataset.id,
        name=dataset.name,
        metadata=dataset.meta,
        modality=dataset.modality,
        text_pairs=dataset.text_pairs,
        text_column=dataset.text_column,
        label_column=dataset.label_column,
        labels=dataset.labels,
        label_source=None if dataset.label_source is None else LabelSource.model_validate(dataset.label_source),
        **_text_options(dataset),
        readings=[FileReading.model_validate(one) for one in dataset.readings or []],
        skipped={reason: count for reason, count in (dataset.skipped or {}).items() if reason in _SKIP_REASONS},
        rejections=[RejectionGroup.model_validate(one) for one in dataset.rejections or []],
        warnings=[Finding.model_validate(one) for one in dataset.warnings or []],
        status=dataset.status,
        upload_count=totals[0],
        upload_bytes=totals[1],
        item_count=dataset.item_count,
        duplicate_count=dataset.duplicate_count,
        rejected_count=dataset.rejected_count,
        labelled_count=dataset.labelled_count,
        embedding_width=dataset.embedding_width,
        embedding_templates=dataset.embedding_templates,
        fingerprint=dataset.fingerprint,
        error=_show_error(dataset),
        created_at=dataset.created_at,
        updated_at=dataset.updated_at,
        ready_at=dataset.ready_at,
        urls={"self": url, "items": f"{url}/items", "files": f"{url}/files", "finalize": f"{url}/finalize"},
    )


def _text_options(dataset: Dataset) -> dict[str, Any]:
    """Those that this version knows."""
    said = dataset.text_options or {}
    return {name: said.get(name) for name in TextFileOptions.model_fields}


def _show_error(dataset: Dataset) -> DatasetErrorBody | None:
    if dataset.error_code is None:
        return None
    candidates = [ColumnCandidate.model_validate(each) for each in dataset.candidates or []]
    errors = [problem_field(error) for error in which_column(candidates)]
    return DatasetErrorBody(code=dataset.error_code, message=dataset.error_message or "", errors=errors)


def show_item(item: DatasetItem) -> DatasetItemDocument:
    """Return the document of one item."""
    return DatasetItemDocument(
        object="dataset_item",
        name=item.name,
        text=item.text,
        text_pair=item.text_pair,
        label=item.label,
        sha256=item.sha256,
        size=item.size,
        status=item.status,
        code=item.code,
        message=item.message,
    )


def show_upload(upload: Upload) -> DatasetFileDocument:
    """Return the document of one uploaded file."""
    return DatasetFileDocument(
        object="dataset_file",
        filename=upload.filename,
        sha256=upload.sha256,
        size=upload.size,
        created_at=upload.created_at,
    )
