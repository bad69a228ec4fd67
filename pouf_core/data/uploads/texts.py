"""The texts of uploads: one file of all of them, and an entry for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic_core import to_json

from pouf_core.contract.findings import Finding
from pouf_core.data.archives.members import Found
from pouf_core.data.item_names import ItemName
from pouf_core.data.labels.labelling import Labelling
from pouf_core.data.labels.text_labels import TextLabels
from pouf_core.data.reading.texts import texts_of
from pouf_core.data.text_files import BadRow, TextOptions, TextRow
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.data.texts import text_hash
from pouf_core.data.uploads.collector import LOOSE_FILES, Collector, Description
from pouf_core.data.uploads.keeper import Uploaded
from pouf_core.data.uploads.text_readings import TextReadings
from pouf_core.errors import InvalidInput

_KINDS = {True: "pair of texts", False: "single text"}


@dataclass
class TextCollector(Collector):
    """The texts of a dataset.

    Attributes:
        options: what the uploader said of the files.
    """

    modality = "text"
    noun = "file of texts"
    items = "rows"
    takes_label_files = False

    options: TextOptions = field(kw_only=True)
    _readings: TextReadings = field(default_factory=TextReadings)
    _ambiguous: AmbiguousTable | None = None
    # as the first text decides; None while there is none
    _are_pairs: bool | None = None
    # labels of these were found after they were accepted
    _labelled_again: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._labels = TextLabels(self.labels_wanted)

    def collect(self, uploads: Sequence[Uploaded]) -> None:
        """Read every upload, and store the texts as one file of JSON lines."""
        self._key = self.keeper.key_of_file("texts")
        with self.keeper.folder("texts") as folder:
            path = folder / "texts"
            with path.open("wb") as self._stored:
                super().collect(uploads)
            if self.accepted and self.keeper.keeps_files:
                self.keeper.keep_file("texts", path)

    def description(self) -> Description:
        return Description(text_pairs=bool(self._are_pairs), readings=self._readings.files)

    def warnings(self) -> list[Finding]:
        return [*super().warnings(), *self._readings.warnings()]

    def failure(self) -> InvalidInput:
        return self._ambiguous or super().failure()

    def labelling(self) -> Labelling:
        return self._labels.found()

    def unwritten(self, labelling: Labelling) -> Mapping[str, Set[str]]:
        if labelling.source.kind != "file":
            return labelling.labels
        return {key: labelling.labels[key] for key in self._labelled_again}

    def _read_loose_file(self, name: ItemName, path: Path, upload: Uploaded) -> None:
        self._source = LOOSE_FILES
        self._read_file(name, path)

    def _read_unpacked_file(self, name: ItemName, path: Path, upload: Uploaded, source: str) -> None:
        self._source = source
        self._read_file(name, path)

    def _read_member(self, member: Found, upload: Uploaded) -> None:
        self._source = upload.id
        self._read_file(member.name, member.data)

    def _read_file(self, name: ItemName, source: Path | bytes) -> None:
        told = partial(self._readings.begin, name.text)
        try:
            for row in texts_of(self.reader, source, name.text, self.options, told):
                if isinstance(row, BadRow):
                    row_name = name.row(row.position)
                    self.reject(row_name, row.code, row.message, lost=row.lost, undecoded=row.undecoded)
                else:
                    self._add(name.row(row.position, row.name), row)
                self._readings.note(row)
        except InvalidInput as error:
            if isinstance(error, AmbiguousTable):
                self._ambiguous = self._ambiguous or error
            self.reject(name, error.code, error.message, lost="rest")

    def _add(self, name: ItemName, row: TextRow) -> None:
        is_pair = row.text_pair is not None
        if self._are_pairs not in (None, is_pair):
            message = f"A {_KINDS[is_pair]}, in a dataset whose first item is a {_KINDS[not is_pair]}."
            self.reject(name, "mixed_texts", message)
            return
        item, label = row.item, row.label if self._labels.are_of_files else None
        sha256, size = text_hash(item), len(row.text.encode()) + len((row.text_pair or "").encode())
        self._labels.note(sha256, label, self._source, name.parts[:-1])
        if self.note_if_duplicate(name, sha256, size, item):
            if label is not None:
                self._labelled_again.add(sha256)
            return
        self.require_room_for_item()
        self._are_pairs = is_pair
        fields = {"text_a": row.text, "text_b": row.text_pair} if is_pair else {"text": row.text}
        line = to_json(fields) + b"\n"
        self.extract(len(line))
        self._stored.write(line)
        self.accept(name, sha256, size, self._key, item, label)
