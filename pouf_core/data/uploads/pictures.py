"""The pictures of uploads: a file and an entry for each, both written once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pouf_core.data.archives.members import Found, too_large
from pouf_core.data.decoder import Decoder
from pouf_core.data.item_names import ItemName
from pouf_core.data.sidecars import PicturesBeside, is_sidecar, may_be_sidecar
from pouf_core.data.uploads.collector import Collector
from pouf_core.data.uploads.keeper import Uploaded
from pouf_core.data.uploads.labels import LabelTable, Occurrence, assign_labels, read_label_table
from pouf_core.errors import InvalidInput

#: The source of files that were uploaded by themselves; a label table among them names them all.
LOOSE_FILES = "loose files"
_MOST_UNDECIDED = 100_000


class _Refusal(NamedTuple):
    name: ItemName
    code: str
    message: str
    sha256: str
    size: int


@dataclass
class PictureCollector(Collector):
    """The pictures of a dataset. Each content is hashed once, and decoded once to be checked."""

    modality = "image"
    noun = "picture"
    items = "pictures"
    file_is_item = True

    decoder: Decoder = field(kw_only=True)
    _occurrences: list[Occurrence] = field(default_factory=list)
    _undecided: list[_Refusal] = field(default_factory=list)
    _tables: list[LabelTable] = field(default_factory=list)

    def collect(self, uploads: Sequence[Uploaded]) -> None:
        """Read every upload, then decide on files that belong to a picture beside them."""
        super().collect(uploads)
        self._decide()

    def labels(self) -> dict[str, set[str]]:
        return assign_labels(self._occurrences, self._tables)

    def _read_loose_file(self, name: ItemName, path: Path, upload: Uploaded) -> None:
        if upload.size > self.limits.item_bytes:
            refused = too_large(name, self.limits)
            self.reject(name, refused.code, refused.message, upload.sha256, upload.size)
        elif name.is_labels:
            self._add_labels(LOOSE_FILES, name, path.read_bytes())
        else:
            self._add_picture(LOOSE_FILES, name, path.read_bytes(), upload.sha256, stored_at=upload.key)

    def _read_unpacked_file(self, name: ItemName, path: Path, upload: Uploaded) -> None:
        if path.stat().st_size > self.limits.item_bytes:
            refused = too_large(name, self.limits)
            self.reject(name, refused.code, refused.message)
        else:
            self._read_member(Found(name, path.read_bytes()), upload)

    def _read_member(self, member: Found, upload: Uploaded) -> None:
        if member.name.is_labels:
            self._add_labels(upload.id, member.name, member.data)
        else:
            self._add_picture(upload.id, member.name, member.data, hashlib.sha256(member.data).hexdigest())

    def _add_picture(
        self, source: str, name: ItemName, data: bytes, sha256: str, *, stored_at: str | None = None
    ) -> None:
        """Take a picture in; `stored_at` is its key if it is stored already."""
        if is_sidecar(name.file_name):
            self.skip("sidecar")
            return
        if not self.note_if_duplicate(name, sha256, len(data)):
            try:
                self.decoder.check(data, self.limits.pixels)
            except InvalidInput as error:
                self._refuse(_Refusal(name, error.code, error.message, sha256, len(data)))
                return
            self.require_room_for_item()
            key = stored_at or self._store(sha256, data)
            self.accept(name, sha256, len(data), key)
        self._occurrences.append(Occurrence(source, name.parts, sha256))

    def _store(self, sha256: str, data: bytes) -> str:
        self.extract(len(data))
        return self.keeper.keep_picture(sha256, data)

    def _refuse(self, refusal: _Refusal) -> None:
        """Reject a file; one that may belong to a picture is looked at again when all pictures are known."""
        if may_be_sidecar(refusal.name.file_name) and len(self._undecided) < _MOST_UNDECIDED:
            self._undecided.append(refusal)
        else:
            self.reject(*refusal)

    def _decide(self) -> None:
        pictures = PicturesBeside(occurrence.parts for occurrence in self._occurrences if occurrence.parts)
        for refusal in self._undecided:
            if pictures.include_one_for(refusal.name.parts):
                self.skip("sidecar")
            else:
                self.reject(*refusal)

    def _add_labels(self, source: str, name: ItemName, data: bytes) -> None:
        try:
            left = self.limits.items - sum(len(table.rows) for table in self._tables)
            self._tables.append(read_label_table(source, name.parts, data, left))
        except InvalidInput as error:
            self.reject(name, error.code, error.message, size=len(data))
