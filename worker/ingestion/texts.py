"""Keeps the texts that ingestion finds: one file of all of them in the storage, a row each in the database."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from pouf_core.data.file_kinds import TEXT_SUFFIXES
from pouf_core.data.text_files import BadRow, TextRow, read_texts
from pouf_core.data.texts import text_hash
from pouf_core.errors import InvalidInput
from store.storage_keys import texts_key
from store.tables import Upload
from worker.ingestion.archives import ArchiveError, Found, archive_kind, kind_by_name, read_archive
from worker.ingestion.names import ItemName, parse_name
from worker.ingestion.rows import ItemRows, TooManyItems

_KINDS = {True: "pair of texts", False: "single text"}


def holds_texts(uploads: Sequence[Upload]) -> bool:
    """Whether uploads of a modality yet unknown are texts: files of texts alone, and not just a `labels.csv`."""
    names = [parse_name(upload.filename) for upload in uploads]
    return all(name.ends_with(TEXT_SUFFIXES) for name in names) and not all(name.is_labels for name in names)


@dataclass
class TextCollector(ItemRows):
    """The texts of one ingestion.

    Attributes:
        text_column, label_column: of tables and JSON, see `read_texts`.
        labels: content hash to the evaluation labels that were found beside the text.
        are_pairs: whether the texts are pairs, as the first of them decides; None while there is none.
    """

    text_column: str | None = None
    label_column: str | None = None
    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    are_pairs: bool | None = None

    def collect(self, uploads: Sequence[Upload], check: Callable[[], None]) -> None:
        """Read every upload, and store the texts as one file of JSON lines.

        Args:
            uploads: in order.
            check: called after every upload and every member of an archive; raises to end the ingestion.

        Raises:
            TooManyItems, TooManyBytes: more than the limits allow.
        """
        self._key = texts_key(self.lease.row_id, self.lease.fence)
        staging = self.context.settings.staging_dir
        staging.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="texts-", dir=staging) as folder:
            path = Path(folder) / "texts"
            with path.open("w", encoding="utf-8") as self._stored:
                for upload in uploads:
                    self._read_upload(upload, check)
                    check()
            if self.accepted:
                self.context.storage.put_file(self._key, path, move=True)

    def _read_upload(self, upload: Upload, check: Callable[[], None]) -> None:
        name = parse_name(upload.filename)
        path = self.context.storage.local(upload.storage_key)
        with path.open("rb") as stream:
            kind = archive_kind(stream.read(512)) or kind_by_name(name)
            stream.seek(0)
            if kind is None:
                self._read_file(name, stream)
                return
        try:
            for member in read_archive(path, kind, self.limits):
                if isinstance(member, Found):
                    self._read_file(member.name, io.BytesIO(member.data))
                else:
                    self.reject(member.name, member.code, member.message)
                check()
        except ArchiveError as error:
            self.reject(name, error.code, error.message, upload.sha256, upload.size)

    def _read_file(self, name: ItemName, stream: IO[bytes]) -> None:
        try:
            columns = {"text_column": self.text_column, "label_column": self.label_column}
            for row in read_texts(stream, name.text, **columns):
                place = parse_name(f"{name.text}:{row.position}")
                if isinstance(row, BadRow):
                    self.reject(place, row.code, row.message)
                else:
                    self._add(place, row)
        except InvalidInput as error:
            self.reject(name, error.code, error.message)

    def _add(self, place: ItemName, row: TextRow) -> None:
        is_pair = row.text_pair is not None
        if self.are_pairs not in (None, is_pair):
            message = f"A {_KINDS[is_pair]}, in a dataset whose first item is a {_KINDS[not is_pair]}."
            self.reject(place, "mixed_texts", message)
            return
        sha256, size = text_hash(row.item), len(row.text.encode()) + len((row.text_pair or "").encode())
        if row.label is not None:
            self.labels[sha256].add(row.label)
        if sha256 in self.accepted:
            self.duplicates += 1
            self._add_row(place, "duplicate", sha256=sha256, size=size)
            return
        if len(self.accepted) >= self.limits.items:
            raise TooManyItems
        self.are_pairs = is_pair
        fields = {"text_a": row.text, "text_b": row.text_pair} if is_pair else {"text": row.text}
        line = json.dumps(fields, ensure_ascii=False) + "\n"
        self.extract(len(line.encode()))
        self.accepted.add(sha256)
        self._stored.write(line)
        self._add_row(place, "accepted", sha256=sha256, size=size, storage_key=self._key)
