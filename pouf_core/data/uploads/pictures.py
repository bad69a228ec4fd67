"""The pictures of uploads: a file and an entry for each, both written once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pouf_core.data.archives.members import ArchiveError, Found, Refused, too_large
from pouf_core.data.archives.zips import names_in_zip
from pouf_core.data.decoder import Decoder
from pouf_core.data.file_kinds import PICTURE_SUFFIXES, arrow_form
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.labels.labelling import Labelling, PictureLabels
from pouf_core.data.losses import Lost
from pouf_core.data.no_pictures import refuse_raw, said_of
from pouf_core.data.reading.labels import label_pairs_of
from pouf_core.data.sheets import ReadingLimits
from pouf_core.data.sidecars import PicturesBeside, is_of_takeout, is_sidecar, may_be_of_takeout, may_be_sidecar
from pouf_core.data.tables_of_pictures import is_table_of_pictures, pictures_in_table
from pouf_core.data.uploads.collector import LOOSE_FILES, Collector
from pouf_core.data.uploads.keeper import EndOfReading, Uploaded
from pouf_core.errors import InvalidInput

_MOST_UNDECIDED = 100_000
_MOST_UNREAD = 100_000  # names in an archive that are looked at


class _Refusal(NamedTuple):
    name: ItemName
    code: str
    message: str
    sha256: str
    size: int
    lost: Lost


@dataclass
class PictureCollector(Collector):
    """The pictures of a dataset. Each content is hashed once, and decoded once to be checked.

    Attributes:
        label_column: of files of labels, as for `label_pairs`.
    """

    modality = "image"
    noun = "picture"
    items = "pictures"
    file_is_item = True

    decoder: Decoder = field(kw_only=True)
    label_column: str | None = field(default=None, kw_only=True)
    _undecided: list[_Refusal] = field(default_factory=list)
    _uploads: Sequence[Uploaded] = ()

    def __post_init__(self) -> None:
        read = partial(label_pairs_of, self.reader, label_column=self.label_column)
        self._labels = PictureLabels(self.labels_wanted, self.limits.items, read, self.label_column)

    def collect(self, uploads: Sequence[Uploaded]) -> None:
        """Read every upload, then decide on files that belong to a picture beside them."""
        self._uploads = uploads
        try:
            super().collect(uploads)
        except EndOfReading:
            self._ask()
            raise
        self._decide()
        self._ask()

    def labelling(self) -> Labelling:
        return self._labels.found(is_sample=self.keeper.cut and not self._note_unread())

    def _note_unread(self) -> bool:
        """Let labels know of the pictures beyond a sample, by their names; whether all of these can be told."""
        read = set(self._labels.read())
        for upload in self._uploads:
            name = parse_name(upload.filename)
            source, names = LOOSE_FILES, [name]
            kind = self._archive_kind(self.keeper.local(upload), name)
            if kind is not None:
                try:
                    names = names_in_zip(self.keeper.local(upload), self.limits) if kind == "zip" else []
                except ArchiveError:
                    continue  # which was told of when it was read
                source = upload.id
                if not 0 < len(names) <= _MOST_UNREAD:
                    return False
            for each in names:
                unread = (source, each.parts) not in read and each.file_name.lower().endswith(PICTURE_SUFFIXES)
                if unread and not each.skipped:
                    self._labels.note_picture(source, each.parts, f"unread:{source}:{each.text}")
        return True

    def _read_loose_file(self, name: ItemName, path: Path, upload: Uploaded) -> None:
        if self._read_table(name, path, upload):
            return
        if upload.size > self.limits.item_bytes:
            refused = too_large(name, self.limits)
            self.reject(name, refused.code, refused.message, upload.sha256, upload.size)
        else:
            self._add_file(LOOSE_FILES, name, path.read_bytes(), upload.sha256, stored_at=upload.key)

    def _read_unpacked_file(self, name: ItemName, path: Path, upload: Uploaded, source: str) -> None:
        if self._read_table(name, path, upload):
            return
        if path.stat().st_size > self.limits.item_bytes:
            refused = too_large(name, self.limits)
            self.reject(name, refused.code, refused.message)
        else:
            self._add_member(Found(name, path.read_bytes()), upload)

    def _read_member(self, member: Found, upload: Uploaded) -> None:
        if arrow_form(member.name.file_name):
            with self.keeper.folder("unpacked") as folder:
                path = folder / "table"
                path.write_bytes(member.data)
                if self._read_table(member.name, path, upload):
                    return
        self._add_member(member, upload)

    def _read_table(self, name: ItemName, path: Path, upload: Uploaded) -> bool:
        """Whether a file is a table of pictures, which are read then."""
        limits = ReadingLimits(self.limits.memory_bytes, self.limits.cpu_seconds)
        try:
            if not is_table_of_pictures(path, name, limits):
                return False
            on_unclear = partial(self._labels.note_unclear, upload.id, name)
            for found in pictures_in_table(
                self.reader, path, name, self.limits, self._labels.label_column, on_unclear=on_unclear, check=self.check
            ):
                if isinstance(found, Refused):
                    self.reject(found.name, found.code, found.message)
                else:
                    sha256 = hashlib.sha256(found.data).hexdigest()
                    self._add_picture(upload.id, found.name, found.data, sha256, None, found.label)
        except (InvalidInput, ArchiveError) as error:
            self.reject(name, error.code, error.message, lost="rest")
        return True

    def _add_member(self, member: Found, upload: Uploaded) -> None:
        self._add_file(upload.id, member.name, member.data, hashlib.sha256(member.data).hexdigest())

    def _add_file(self, source: str, name: ItemName, data: bytes, sha256: str, *, stored_at: str | None = None) -> None:
        if is_sidecar(name.file_name) or (may_be_of_takeout(name.file_name) and is_of_takeout(data)):
            self.skip("sidecar")
            return
        try:
            if not self._labels.takes(source, name, data):
                self._add_picture(source, name, data, sha256, stored_at)
        except InvalidInput as error:
            self.reject(name, error.code, error.message, sha256, len(data), lost="rest")

    def _add_picture(
        self,
        source: str,
        name: ItemName,
        data: bytes,
        sha256: str,
        stored_at: str | None,
        label: str | None = None,
    ) -> None:
        """Take a picture in; `stored_at` is its key if it is stored already."""
        if not self.note_if_duplicate(name, sha256, len(data)):
            try:
                refuse_raw(name)
                self.decoder.check(data, self.limits.pixels)
            except InvalidInput as error:
                self._refuse(name, error, len(data), sha256)
                return
            self.require_room_for_item()
            key = stored_at or self._store(sha256, data)
            self.accept(name, sha256, len(data), key)
        self._labels.note_picture(source, name.parts, sha256, label)

    def _store(self, sha256: str, data: bytes) -> str:
        self.extract(len(data))
        return self.keeper.keep_picture(sha256, data)

    def _refuse(self, name: ItemName, error: InvalidInput, size: int, sha256: str) -> None:
        """Reject a file; one that may belong to a picture is looked at again when all pictures are known."""
        message, lost = said_of(name, error)
        refusal = _Refusal(name, error.code, message, sha256, size, lost)
        if may_be_sidecar(refusal.name.file_name) and len(self._undecided) < _MOST_UNDECIDED:
            self._undecided.append(refusal)
        else:
            self._reject(refusal)

    def _decide(self) -> None:
        if not self._undecided:
            return
        pictures = PicturesBeside(self._labels.places())
        for refusal in self._undecided:
            if pictures.include_one_for(refusal.name.parts):
                self.skip("sidecar")
            else:
                self._reject(refusal)

    def _ask(self) -> None:
        """Reject the files of labels of which the caller is to say the column."""
        for _, name, error in self._labels.unclear():
            self.reject_afterwards(name, error.code, error.message)

    def _reject(self, refusal: _Refusal) -> None:
        name, code, message, sha256, size, lost = refusal
        self.reject(name, code, message, sha256, size, lost=lost)
