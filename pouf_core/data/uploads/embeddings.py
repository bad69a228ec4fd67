"""The embeddings of uploads: one file of all of them, and an entry for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pouf_core.data.archives.members import Found
from pouf_core.data.embedding_files import EmbeddingFile, FileLimits
from pouf_core.data.embedding_storage import write_embeddings
from pouf_core.data.embeddings import Floats, refused_row, row_hashes, unit_rows
from pouf_core.data.file_kinds import ArchiveKind
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.labels.labelling import Labelling
from pouf_core.data.labels.rows import RowLabels
from pouf_core.data.reading.embeddings import embeddings_of
from pouf_core.data.reading.labels import row_labels_of
from pouf_core.data.uploads.collector import Collector, Description
from pouf_core.data.uploads.keeper import Uploaded
from pouf_core.errors import InvalidInput

NUMBER_BYTES = 4


@dataclass
class EmbeddingCollector(Collector):
    """The embeddings of a dataset.

    Attributes:
        width: numbers of a vector, as the first file has it; None while there is none.
        templates: T, where they are class features [T, K, d].
    """

    modality = "embedding"
    noun = "file of embeddings"
    items = "vectors"
    width: int | None = None
    templates: int | None = None
    # the content hash of every row, in order; empty where a row was refused
    _hash_of_row: list[str] = field(default_factory=list)
    _files: int = 0

    def __post_init__(self) -> None:
        self._labels = RowLabels(self.labels_wanted, self.limits.rows, partial(row_labels_of, self.reader))

    def collect(self, uploads: Sequence[Uploaded]) -> None:
        """Read every upload, and store the vectors as one file, with the order in which they came."""
        self._key = self.keeper.key_of_file("embeddings")
        with self.keeper.folder("embeddings") as self._folder:
            found = self._folder / "found"
            with found.open("wb") as self._stored:
                super().collect(uploads)
            if self.accepted and self.keeper.keeps_files:
                self._store(found)

    def description(self) -> Description:
        return Description(embedding_width=self.width, embedding_templates=self.templates)

    def labelling(self) -> Labelling:
        return self._labels.found_for(self._hash_of_row)

    def _archive_kind(self, path: Path, name: ItemName) -> ArchiveKind | None:
        # to an archive's mark a .npz is a zip
        return None if name.file_name.lower().endswith(".npz") else super()._archive_kind(path, name)

    def _read_loose_file(self, name: ItemName, path: Path, upload: Uploaded) -> None:
        if self._labels.takes(name):
            self._add_labels(name, path.read_bytes(), upload.sha256)
        else:
            self._read_file(name, path, upload.sha256, upload.size)

    def _read_unpacked_file(self, name: ItemName, path: Path, upload: Uploaded, source: str) -> None:
        self._read_file(name, path, None, path.stat().st_size)

    def _read_member(self, member: Found, upload: Uploaded) -> None:
        if self._labels.takes(member.name):
            self._add_labels(member.name, member.data, None)
            return
        path = self._folder / "member"
        path.write_bytes(member.data)
        self._read_file(member.name, path, None, len(member.data))

    def _add_labels(self, name: ItemName, data: bytes, sha256: str | None) -> None:
        try:
            self._labels.note_table(name, data)
        except InvalidInput as error:
            self.reject(name, error.code, error.message, sha256, len(data))

    def _read_file(self, name: ItemName, path: Path, sha256: str | None, size: int) -> None:
        with TemporaryDirectory(prefix="unpacked-", dir=self._folder) as scratch:
            try:
                with self.keeper.long_step():
                    file = embeddings_of(self.reader, path, name.file_name, self._file_limits(path, Path(scratch)))
                self._check_fits(file)
            except InvalidInput as error:
                self.reject(name, error.code, error.message, sha256, size, lost="rest")
                return
            self._files += 1
            self.width, self.templates = file.width, file.templates
            self._add_rows(name, file)

    def _file_limits(self, path: Path, scratch: Path) -> FileLimits:
        return FileLimits(
            rows=self.limits.rows,
            unpacked_bytes=min(self.limits.unpacked_bytes(path.stat().st_size), self.keeper.room()),
            scratch=scratch,
            memory_bytes=self.limits.memory_bytes,
            cpu_seconds=self.limits.cpu_seconds,
            first_rows=self.keeper.first_rows,
        )

    def _check_fits(self, file: EmbeddingFile) -> None:
        """Refuse a file whose vectors cannot stand in one dataset with those of the files before it."""
        if self._files and (file.templates is not None or self.templates is not None):
            message = "An array of three dimensions holds class features, and is the only file of its dataset."
            raise InvalidInput("embedding_shape", message)
        if self.width not in (None, file.width):
            message = f"Its vectors have {file.width} numbers each, and those before them in the dataset {self.width}."
            raise InvalidInput("embedding_width", message)

    def _add_rows(self, name: ItemName, file: EmbeddingFile) -> None:
        labels, first = file.labels, 0
        for block in file.blocks():
            unit = unit_rows(block)
            fresh = []
            for offset, sha256 in enumerate(row_hashes(unit.rows)):
                row = first + offset
                row_name = self._row_name(name, file, row)
                code = unit.refused.get(offset)
                if code is not None:
                    self._hash_of_row.append("")
                    self.reject(row_name, code, refused_row(code, file.name_of(row)).message)
                    continue
                self._hash_of_row.append(sha256)
                label = labels[row] if labels is not None else None
                self._labels.note(sha256, label)
                if self._add_row_of(row_name, sha256):
                    fresh.append(offset)
            self._write(unit.rows[fresh])
            first += len(block)
            self.check()

    def _row_name(self, name: ItemName, file: EmbeddingFile, row: int) -> ItemName:
        own = file.names[row] if file.names is not None else None
        return parse_name(own or f"{name.text}[{file.name_of(row)}]")

    def _add_row_of(self, name: ItemName, sha256: str) -> bool:
        """Note one row; returns whether its vector is new."""
        size = NUMBER_BYTES * (self.width or 0)
        if self.note_if_duplicate(name, sha256, size):
            return False
        self.require_room_for_item()
        self.accept(name, sha256, size, self._key)
        return True

    def _write(self, rows: Floats) -> None:
        self.extract(rows.nbytes)
        self._stored.write(rows.astype("<f4", copy=False).tobytes())

    def _store(self, found: Path) -> None:
        """Store the vectors, which were found in another order, in order of content hash."""
        assert self.width is not None
        target = self._folder / "embeddings"
        with self.keeper.long_step():
            write_embeddings(
                target, found, self._hash_of_row, self.width, self.templates, on_block=self.keeper.require_room
            )
            self.keeper.keep_file("embeddings", target)
