"""Datasets: the upload form and the documents."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from app.http.query_parameters import ListQuery, PageQuery
from app.http.schemas import METADATA, NAME, Closed, Document, ErrorBody
from pouf_core.contract.dataset_items import RequestedModality
from store.tables import Dataset, DatasetItem, Upload

DATASET_STATUS = Literal["uploading", "ingesting", "ready", "failed"]
FINAL_DATASET_STATUSES = frozenset({"ready", "failed"})


def _empty_is_absent(value: object) -> object:
    return None if value == "" else value


COLUMN = Annotated[str | None, Field(max_length=255), BeforeValidator(_empty_is_absent)]


class DatasetForm(Closed):
    """The text fields of an upload."""

    name: Annotated[NAME | None, BeforeValidator(_empty_is_absent)] = None
    modality: RequestedModality = "auto"
    text_column: COLUMN = None
    label_column: COLUMN = None
    finalize: bool = True
    metadata: METADATA = {}

    @field_validator("text_column", "label_column")
    @classmethod
    def _columns_are_of_texts(cls, column: str | None, info: ValidationInfo) -> str | None:
        modality = info.data.get("modality")
        if column is not None and modality in ("image", "embedding"):
            raise ValueError(f"Columns are of tables of texts, and the modality is {modality}.")
        return column


class DatasetListQuery(ListQuery):
    """A page of datasets."""

    status: DATASET_STATUS | None = None


class ItemListQuery(PageQuery):
    """A page of a dataset's items."""

    status: Literal["accepted", "duplicate", "rejected"] | None = None


class ArchiveQuery(Closed):
    """Parameters of the streamed archive."""

    filename: Annotated[str | None, Field(max_length=255, description="Name to keep the archive under.")] = None


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
    error: ErrorBody | None
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    urls: dict[str, str]


class DatasetDocument(DatasetSummaryDocument):
    """Target data."""

    suggested_class_names: list[str] | None


class DatasetItemDocument(Document):
    """A file that ingestion found."""

    object: Literal["dataset_item"]
    name: str
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
        error=ErrorBody.of(dataset.error_code, dataset.error_message),
        created_at=dataset.created_at,
        updated_at=dataset.updated_at,
        ready_at=dataset.ready_at,
        urls={"self": url, "items": f"{url}/items", "files": f"{url}/files", "finalize": f"{url}/finalize"},
    )


def show_item(item: DatasetItem) -> DatasetItemDocument:
    """Return the document of one item; its label, if any, is kept for evaluation and not shown."""
    return DatasetItemDocument(
        object="dataset_item",
        name=item.name,
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
