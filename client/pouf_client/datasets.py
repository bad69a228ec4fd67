"""Datasets over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict, Unpack, cast

from pouf_client.blocking import Blocking, blocking, blocking_iterator
from pouf_client.connection import Connection, path_to
from pouf_client.dataset_samples import DatasetSample
from pouf_client.embeddings import Vectors, save_vectors
from pouf_client.errors import DatasetFailed
from pouf_client.files import portable_name
from pouf_client.progress import showing
from pouf_client.resources import Dataset, DatasetItem
from pouf_client.results import Document
from pouf_client.sent_files import OnUpload, SentFile, told_to
from pouf_client.uploads import Source, Upload, save_texts, upload_of
from pouf_client.waiting import until_final

#: How tables are read.
OF_TABLES = ("label_column", "encoding", "delimiter", "header")


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
    timeout: float | None
    on_progress: Callable[[Dataset], None] | None
    progress: bool
    on_upload: OnUpload | None


class ReadingOptions(TypedDict, total=False):
    """How files are read: the options of `Datasets.dry_run` and `Datasets.read_again`, as of `Datasets.create`."""

    modality: str
    text_column: str | None
    label_column: str | None
    encoding: str | None
    delimiter: str | None
    header: bool | None
    labels: str | None


class AsyncDatasets:
    """`client.datasets` of an `AsyncClient`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
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
        timeout: float | None = 600.0,
        on_progress: Callable[[Dataset], None] | None = None,
        progress: bool = False,
        on_upload: OnUpload | None = None,
    ) -> Dataset:
        """Upload a new dataset. A retry never makes a second one.

        Args:
            source: the path of an archive, another file (texts, embeddings or a picture) or a folder; a list of files,
                pictures (bytes, Pillow's, or uint8 arrays [height, width, 3]), texts (with modality `text`), pairs or
                vectors; an array [n, d]; or a table of pandas, polars or pyarrow with texts, with numbers, or with the
                paths of pictures, as a .csv may have them, too: then the pictures are sent, with their labels. An index
                of pandas that does not count rows says what they are called, unless a column does.
            name, metadata: shown in lists; at most 16 pairs, kept as they are.
            modality: `image`, `text`, `embedding` or `auto`; folders, lists and archives of files of texts need `text`,
                and of embeddings `embedding`. With `text`, each `str` of a list is a text, and files are `Path`s.
            text_column: of tables and JSON of texts, the column or field with the text; by default `text`, or the only
                column with texts.
            label_column: the one with labels, which are used for evaluation alone; by default `label` or the like.
            encoding, delimiter, header: of files of texts, where `readings` of a dataset show them told wrong: such
                as `windows-1252`; one character; whether the first row names the columns.
            labels: where evaluation labels may come from: `file` for columns, fields and files of labels; `folders`;
                `auto` for files where any gives labels, else folders; or `none`.
            wait: return only when the service has read the files.
            timeout, on_progress, progress: as for `wait`; `progress` draws a bar of the upload, too.
            on_upload: called with the bytes sent so far, and how many there are.

        Raises:
            InvalidInput: there is nothing to upload, or what it is cannot be told; `MissingFile` of a file.
            ApiError: the service refused the upload.
        """
        options = ReadingOptions(
            modality=modality,
            text_column=text_column,
            label_column=label_column,
            encoding=encoding,
            delimiter=delimiter,
            header=header,
            labels=None if labels == "auto" else labels,
        )
        fields = _fields(options) | _named(name, metadata)
        with showing(progress) as show:
            dataset = Dataset.of(await self._upload(source, fields, on_upload=told_to(show, on_upload)))
        if not wait:
            return dataset
        return await self.wait(dataset.id, timeout=timeout, on_progress=on_progress, progress=progress)

    async def dry_run(self, source: Source, **options: Unpack[ReadingOptions]) -> DatasetSample:
        """What a dataset of files would be, as far as a sample of them tells; nothing of them is kept.

        Args:
            source: as for `create`.
            options: likewise.

        Raises:
            ApiError: the files cannot be used, or do not tell how: with `table_ambiguous` its `errors` have the columns
                to choose `text_column` from.
        """
        return DatasetSample.of(await self._upload(source, _fields(options), {"dry_run": "true"}))

    async def _upload(
        self,
        source: Source,
        fields: dict[str, str],
        params: dict[str, str] | None = None,
        on_upload: OnUpload | None = None,
    ) -> Document:
        with ExitStack() as stack:

            def prepare() -> Upload:
                made = upload_of(
                    source,
                    fields.get("modality", "auto"),
                    fields.get("label_column"),
                    fields.get("delimiter"),
                    tables_name_pictures="text_column" not in fields,
                )
                return stack.enter_context(made)

            upload = await self._connection.work(prepare)
            file = stack.enter_context(SentFile(upload.path, on_upload))
            left_out = OF_TABLES if upload.was_table else ()
            form = {name: value for name, value in fields.items() if name not in left_out}
            form["modality"] = upload.modality
            files = {"files": (portable_name(upload.path.name), file)}
            return await self._connection.request("POST", path_to("datasets"), params=params, form=form, files=files)

    async def create_from_texts(
        self, texts: Iterable[str | tuple[str, str]], **options: Unpack[DatasetOptions]
    ) -> Dataset:
        """Upload texts, or pairs of texts, as a new dataset; options and errors as for `create`."""
        with TemporaryDirectory(prefix="pouf-upload-") as folder:
            options.setdefault("modality", "text")
            return await self.create(save_texts(Path(folder), texts), **options)

    async def create_from_embeddings(
        self,
        vectors: Vectors,
        labels: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        **options: Unpack[DatasetOptions],
    ) -> Dataset:
        """Upload embeddings, or class features, as a new dataset.

        Args:
            vectors: [n, d] as a numpy array, or anything that numpy makes one of; class features may also be
                [T, K, d], for T templates. Lengths do not matter.
            labels: of the n vectors, for evaluation alone.
            names: what the n vectors are called in predictions; by default they are numbered.
            options: as for `create`, and so are the errors.
        """
        with TemporaryDirectory(prefix="pouf-upload-") as folder:
            options.setdefault("modality", "embedding")
            return await self.create(save_vectors(Path(folder), vectors, labels, names), **options)

    async def get(self, dataset_id: str) -> Dataset:
        """One dataset."""
        return Dataset.of(await self._connection.request("GET", path_to("datasets", dataset_id)))

    def list(self, *, name: str | None = None, status: str | None = None) -> AsyncIterator[Dataset]:
        """Datasets, newest first; `suggested_class_names` is empty in lists."""
        pages = self._connection.pages(path_to("datasets"), name=name, status=status)
        return (Dataset.of(raw) async for raw in pages)

    def items(self, dataset_id: str, *, status: str | None = None) -> AsyncIterator[DatasetItem]:
        """The items, as the service describes them; `status="rejected"` for those that could not be read."""
        items = self._connection.pages(path_to("datasets", dataset_id, "items"), status=status)
        return cast(AsyncIterator[DatasetItem], items)

    async def thumbnail(self, dataset_id: str, sha256: str) -> bytes:
        """A small copy of a picture, a JPEG of at most 256 x 256 pixels."""
        return await self._connection.content(path_to("datasets", dataset_id, "items", sha256, "thumbnail"))

    async def read_again(self, dataset_id: str, **options: Unpack[ReadingOptions]) -> Dataset:
        """Let the service read the uploaded files otherwise.

        Args:
            dataset_id: of a failed dataset, or of a ready one that no job was made of.
            **options: as for `create`; what is not given is told by the files.
        """
        path = path_to("datasets", dataset_id, "read-again")
        return Dataset.of(await self._connection.request("POST", path, json=dict(options)))

    async def delete(self, dataset_id: str) -> None:
        """Delete a dataset; models made from it stay."""
        await self._connection.request("DELETE", path_to("datasets", dataset_id))

    async def wait(
        self,
        dataset_id: str,
        *,
        timeout: float | None = 600.0,
        on_progress: Callable[[Dataset], None] | None = None,
        progress: bool = False,
    ) -> Dataset:
        """Return when the service has read the files; arguments as for `Jobs.wait`.

        Raises:
            DatasetFailed: they could not be read.
            ClientError: otherwise as for `Jobs.wait`.
        """

        async def read(seconds: int) -> Dataset:
            return Dataset.of(await self._connection.request("GET", path_to("datasets", dataset_id), wait=seconds))

        dataset = await until_final(self._connection, read, timeout=timeout, on_progress=on_progress, progress=progress)
        if dataset.status == "failed":
            raise DatasetFailed(dataset.id, dataset.status, dataset.error)
        return dataset


def _named(name: str | None, metadata: dict[str, str] | None) -> dict[str, str]:
    fields = {} if name is None else {"name": name}
    return {**fields, "metadata": json.dumps(metadata)} if metadata else fields


def _fields(options: ReadingOptions) -> dict[str, str]:
    given = {name: value for name, value in options.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


class Datasets(Blocking[AsyncDatasets]):
    """`client.datasets`."""

    create = blocking(AsyncDatasets.create)
    dry_run = blocking(AsyncDatasets.dry_run)
    create_from_texts = blocking(AsyncDatasets.create_from_texts)
    create_from_embeddings = blocking(AsyncDatasets.create_from_embeddings)
    get = blocking(AsyncDatasets.get)
    list = blocking_iterator(AsyncDatasets.list)
    items = blocking_iterator(AsyncDatasets.items)
    thumbnail = blocking(AsyncDatasets.thumbnail)
    read_again = blocking(AsyncDatasets.read_again)
    delete = blocking(AsyncDatasets.delete)
    wait = blocking(AsyncDatasets.wait)
