"""Datasets over HTTP."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict, Unpack, cast

from pouf_client.archives import Source, as_archive
from pouf_client.connection import Connection
from pouf_client.dataset_samples import DatasetSample
from pouf_client.embeddings import Vectors, save_vectors
from pouf_client.errors import ClientError
from pouf_client.resources import Dataset, DatasetItem
from pouf_client.results import Document

POLL_SECONDS = 0.3


class DatasetOptions(TypedDict, total=False):
    """The options of `Datasets.create` for items at hand."""

    name: str | None
    modality: str
    text_column: str | None
    label_column: str | None
    encoding: str | None
    delimiter: str | None
    header: bool | None
    metadata: dict[str, str] | None
    wait: bool
    timeout: float


class ReadingOptions(TypedDict, total=False):
    """How files are read: the options of `Datasets.dry_run` and `Datasets.read_again`, as of `Datasets.create`."""

    modality: str
    text_column: str | None
    label_column: str | None
    encoding: str | None
    delimiter: str | None
    header: bool | None
    labels: str | None


class Datasets:
    """`client.datasets`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        source: Source,
        *,
        name: str | None = None,
        modality: str = "auto",
        text_column: str | None = None,
        label_column: str | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        labels: str = "auto",
        metadata: dict[str, str] | None = None,
        wait: bool = False,
        timeout: float = 600.0,
    ) -> Dataset:
        """Upload files as a new dataset.

        Args:
            source: an archive, another file (texts, embeddings or a picture), a folder or a list of files.
            name: shown in lists.
            modality: `image`, `text`, `embedding` or `auto`; folders, lists and archives of files of texts need `text`,
                and of embeddings `embedding`.
            text_column: of tables and JSON of texts, the column or field with the text; by default `text`, or the only
                column with texts.
            label_column: the one with labels, which are used for evaluation alone; by default `label`, if there is one.
            encoding, delimiter, header: of files of texts, where `readings` of a dataset show them told wrong: such
                as `windows-1252`; one character; whether the first row names the columns.
            labels: where evaluation labels may come from: `file` for columns, fields and files of labels; `folders`;
                `auto` for files where any gives labels, else folders; or `none`.
            metadata: at most 16 pairs, kept as they are.
            wait: return only when the service has read the files.
            timeout: seconds to wait at most.

        Raises:
            ApiError: the service refused the upload.
            ClientError: with `wait`, the files could not be read or it took too long.
        """
        options: ReadingOptions = {
            "modality": modality,
            "text_column": text_column,
            "label_column": label_column,
            "encoding": encoding,
            "delimiter": delimiter,
            "header": header,
            "labels": None if labels == "auto" else labels,
        }
        fields = _fields(options)
        if name is not None:
            fields["name"] = name
        if metadata:
            fields["metadata"] = json.dumps(metadata)
        dataset = Dataset.of(self._upload("/v1/datasets", source, fields))
        return self.wait(dataset.id, timeout=timeout) if wait else dataset

    def dry_run(self, source: Source, **options: Unpack[ReadingOptions]) -> DatasetSample:
        """What a dataset of files would be, as far as a sample of them tells; nothing of them is kept.

        Args:
            source: as for `create`.
            options: likewise.

        Raises:
            ApiError: the files cannot be used, or do not tell how: with `table_ambiguous` its `errors` have the columns
                to choose `text_column` from.
        """
        return DatasetSample.of(self._upload("/v1/datasets?dry_run=true", source, _fields(options)))

    def _upload(self, path: str, source: Source, fields: dict[str, str]) -> Document:
        with as_archive(source) as archive, archive.open("rb") as file:
            return self._connection.request("POST", path, form=fields, files={"files": (archive.name, file)})

    def create_from_texts(self, texts: Iterable[str | tuple[str, str]], **options: Unpack[DatasetOptions]) -> Dataset:
        """Upload texts, or pairs of texts, as a new dataset; options and errors as for `create`."""
        with TemporaryDirectory(prefix="pouf-upload-") as folder:
            path = Path(folder) / "texts.jsonl"
            with path.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(_row(text)) + "\n" for text in texts)
            options.setdefault("modality", "text")
            return self.create(path, **options)

    def create_from_embeddings(
        self, vectors: Vectors, labels: Sequence[str] | None = None, **options: Unpack[DatasetOptions]
    ) -> Dataset:
        """Upload embeddings, or class features, as a new dataset.

        Args:
            vectors: [n, d] as a numpy array, or anything that numpy makes one of; class features may also be
                [T, K, d], for T templates. Lengths do not matter.
            labels: of the n vectors, for evaluation alone.
            options: as for `create`, and so are the errors.
        """
        with TemporaryDirectory(prefix="pouf-upload-") as folder:
            options.setdefault("modality", "embedding")
            return self.create(save_vectors(Path(folder), vectors, labels), **options)

    def get(self, dataset_id: str) -> Dataset:
        """One dataset."""
        return Dataset.of(self._connection.request("GET", f"/v1/datasets/{dataset_id}"))

    def list(self, *, name: str | None = None, status: str | None = None) -> Iterator[Dataset]:
        """Datasets, newest first; `suggested_class_names` is empty in lists."""
        return (Dataset.of(raw) for raw in self._connection.pages("/v1/datasets", name=name, status=status))

    def items(self, dataset_id: str, *, status: str | None = None) -> Iterator[DatasetItem]:
        """The items, as the service describes them; `status="rejected"` for those that could not be read."""
        items = self._connection.pages(f"/v1/datasets/{dataset_id}/items", status=status)
        return cast(Iterator[DatasetItem], items)

    def thumbnail(self, dataset_id: str, sha256: str) -> bytes:
        """A small copy of a picture, a JPEG of at most 256 x 256 pixels."""
        with self._connection.stream(f"/v1/datasets/{dataset_id}/items/{sha256}/thumbnail") as response:
            return response.read()

    def read_again(self, dataset_id: str, **options: Unpack[ReadingOptions]) -> Dataset:
        """Let the service read the uploaded files otherwise.

        Args:
            dataset_id: of a failed dataset, or of a ready one that no job was made of.
            **options: as for `create`; what is not given is told by the files.
        """
        return Dataset.of(self._connection.request("POST", f"/v1/datasets/{dataset_id}/read-again", json=dict(options)))

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset; models made from it stay."""
        self._connection.request("DELETE", f"/v1/datasets/{dataset_id}")

    def wait(self, dataset_id: str, *, timeout: float = 600.0) -> Dataset:
        """Return when the service has read the files.

        Raises:
            ClientError: they could not be read, or it took more than `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not (dataset := self.get(dataset_id)).final:
            if time.monotonic() > deadline:
                raise ClientError(f"{dataset_id} is still {dataset.status} after {timeout:g} s")
            time.sleep(POLL_SECONDS)
        if dataset.status == "failed":
            reason = "no reason given" if not dataset.error else f"{dataset.error['message']} ({dataset.error['code']})"
            raise ClientError(f"{dataset_id} failed: {reason}")
        return dataset


def _fields(options: ReadingOptions) -> dict[str, str]:
    given = {name: value for name, value in options.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def _row(text: str | tuple[str, str]) -> dict[str, str]:
    return {"text": text} if isinstance(text, str) else {"text_a": text[0], "text_b": text[1]}
