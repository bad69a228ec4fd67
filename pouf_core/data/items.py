"""Target data: items known by their content. Names, directories and labels are no part of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from pouf_core.contract.base_model import Modality
from pouf_core.data.images import decode_image, upright_srgb
from pouf_core.data.labels.labelling import PictureLabels
from pouf_core.data.labels.text_labels import TextLabels
from pouf_core.data.losses import Rejected
from pouf_core.data.picture_files import content_of_picture, find_pictures
from pouf_core.data.source_files import SourceFiles
from pouf_core.data.stored_texts import StoredTexts, TextWriter
from pouf_core.data.text_files import AS_TOLD, BadRow, Reading, TextOptions, read_texts
from pouf_core.data.texts import Text, TextItem, clean_item, text_hash
from pouf_core.errors import InvalidInput


@dataclass(frozen=True)
class Item:
    """One picture, text or vector: the SHA-256 (hex) of its content and where the content is.

    Attributes:
        source: a picture's path or the picture; a text, a pair of texts, or a vector [d], itself.
    """

    sha256: str
    source: Path | Image.Image | Text | npt.NDArray[np.float32]

    def image(self) -> Image.Image:
        """The decoded RGB picture.

        Raises:
            InvalidInput: as `decode_image`, with the file's name; it has been damaged since it was accepted.
        """
        assert isinstance(self.source, Path | Image.Image)
        if not isinstance(self.source, Path):
            return self.source
        try:
            return decode_image(self.source)
        except InvalidInput as error:
            raise InvalidInput(error.code, f"{self.source.name}: {error.message}") from error

    def text(self) -> Text:
        """The text, or the pair of texts."""
        assert isinstance(self.source, str | TextItem)
        return self.source

    def embedding(self) -> npt.NDArray[np.float32]:
        """The unit-length vector [d]."""
        assert isinstance(self.source, np.ndarray)
        return self.source


Source = str | Path | Image.Image | TextItem | Item
Data = str | Path | Iterable[Source]
OnReading = Callable[[str, Reading], None]
"""Told of each file of texts how it is read."""


def _heard_by_nobody(file: str, reading: Reading) -> None:
    pass


class TextItems(Sequence[Item]):
    """Texts as items in order of content hash, each content once, without an object for each.

    Args:
        texts: the texts.
    """

    def __init__(self, texts: StoredTexts) -> None:
        self._texts = texts

    @property
    def digests(self) -> npt.NDArray[np.uint8]:
        """Content hashes [n, 32]."""
        return self._texts.digests

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> TextItems: ...
    def __getitem__(self, index: int | slice) -> Item | TextItems:
        if isinstance(index, slice):
            return TextItems(self._texts.part(index))
        return Item(self._texts.digests[index].tobytes().hex(), self._texts[index])


def collect_items(
    data: Data, modality: Modality = "image", options: TextOptions = AS_TOLD
) -> tuple[Sequence[Item], list[Rejected]]:
    """Items in order of content hash, each content once, and what was refused.

    Args:
        data: see `collect_pictures` and `collect_texts`. The modality tells a list of paths from a list of texts.
        modality: what the base model takes.
        options: see `collect_texts`.

    Raises:
        InvalidInput: `no_usable_items`, `data_not_found`, or a file of texts cannot be read at all.
    """
    return collect_texts(data, options) if modality == "text" else collect_pictures(data)


def collect_pictures(data: Data, labels: PictureLabels | None = None) -> tuple[list[Item], list[Rejected]]:
    """Pictures in order of content hash, each content once, and the files that were refused.

    Args:
        data: a folder (searched recursively, its archives too), an archive or a table of pictures by its path; or a
            list of paths of pictures, PIL images, or items, which are taken for checked.
        labels: told of the pictures and files of labels of a folder or an archive.

    Raises:
        InvalidInput: `no_usable_items`, `data_not_found`.
    """
    items: dict[str, Item] = {}
    if isinstance(data, str | Path):
        found = find_pictures(Path(data), labels)
        items = {sha256: Item(sha256, path) for sha256, path in found.paths.items()}
        rejected = found.rejected
    else:
        rejected = []
        for source in data:
            try:
                _add_picture(source, items)
            except InvalidInput as error:
                rejected.append(Rejected(str(source), error.code, error.message))
    if not items:
        raise _nothing("picture", rejected)
    return [items[key] for key in sorted(items)], rejected


def collect_texts(
    data: Data,
    options: TextOptions = AS_TOLD,
    labels: TextLabels | None = None,
    on_reading: OnReading = _heard_by_nobody,
) -> tuple[Sequence[Item], list[Rejected]]:
    """Texts in order of content hash, each content once, and the rows that were refused.

    Args:
        data: a file of texts (see `pouf_core.data.text_files.read_texts`) or a folder of them, by its path; or a list,
            in which a string is a text, a `TextItem` a text or a pair of them, and a `Path` such a file.
        options: of the files, see `read_texts`.
        labels: told of the rows of files.
        on_reading: told of the files.

    Raises:
        InvalidInput: `no_usable_items`, `data_not_found`, or a file cannot be read at all.
    """
    labels = labels or TextLabels("none")
    if isinstance(data, str | Path):
        return _texts_of_files(Path(data), options, labels, on_reading)
    items: dict[str, Item] = {}
    rejected: list[Rejected] = []
    for position, source in enumerate(data, start=1):
        if isinstance(source, Path):
            rejected += _add_files(source, lambda text: _add_text(text, items), options, labels, on_reading)
            continue
        try:
            if isinstance(source, Item):
                items.setdefault(source.sha256, source)
                continue
            if not isinstance(source, str | TextItem):
                raise InvalidInput("wrong_modality", f"A {type(source).__name__} is no text.")
            _add_text(clean_item(source), items)
        except InvalidInput as error:
            rejected.append(Rejected(f"text {position}", error.code, error.message))
    if not items:
        raise _nothing("text", rejected)
    return [items[key] for key in sorted(items)], rejected


def _texts_of_files(
    path: Path, options: TextOptions, labels: TextLabels, on_reading: OnReading
) -> tuple[TextItems, list[Rejected]]:
    """The texts of a file or a folder of files, which may be too many for an object each."""
    writer = TextWriter()
    rejected = _add_files(path, writer.add, options, labels, on_reading)
    items = TextItems(writer.finish())
    if not items:
        raise _nothing("text", rejected)
    return items, rejected


def _nothing(kind: str, rejected: Sequence[Rejected]) -> InvalidInput:
    """The error for data of which nothing is left, with what was wrong with the first of it."""
    example = "".join(f" {each.name}: {each.message}" for each in rejected[:1])
    return InvalidInput("no_usable_items", f"There is no {kind} in the data that can be used.{example}")


def _add_files(
    path: Path, add: Callable[[TextItem], None], options: TextOptions, labels: TextLabels, on_reading: OnReading
) -> list[Rejected]:
    if not path.exists():
        raise InvalidInput("data_not_found", f"{path} does not exist.")
    files, rejected = SourceFiles(path), []
    for file in files:
        try:
            for row in read_texts(file.path, file.name.file_name, options, partial(on_reading, file.name.text)):
                if isinstance(row, BadRow):
                    name = f"{file.name.text}:{row.position}"
                    rejected.append(Rejected(name, row.code, row.message, row.lost, row.undecoded))
                else:
                    add(row.item)
                    labels.note_row(row, file.source, file.name.parts[:-1])
        except InvalidInput as error:
            if file.path == path:
                raise
            rejected.append(Rejected(file.name.text, error.code, error.message, lost="rest"))
    return files.rejected + rejected


def _add_text(text: TextItem, items: dict[str, Item]) -> None:
    sha256 = text_hash(text)
    items.setdefault(sha256, Item(sha256, text.text if text.text_pair is None else text))


def _add_picture(source: Source, items: dict[str, Item]) -> None:
    """Add a picture unless its content is known; each content is hashed once, and decoded once to be checked."""
    if isinstance(source, TextItem):
        raise InvalidInput("wrong_modality", "A text is no picture.")
    if isinstance(source, Item):
        item = source
    elif isinstance(source, Image.Image):
        image = upright_srgb(source)
        item = Item(hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest(), image)
    else:
        item = Item(content_of_picture(Path(source), items), Path(source))
    items.setdefault(item.sha256, item)


def are_pairs(items: Sequence[Item]) -> bool:
    """Whether texts are pairs of texts.

    Raises:
        InvalidInput: `mixed_texts` where some are and some are not.
    """
    pairs = sum(isinstance(item.source, TextItem) for item in items)
    if 0 < pairs < len(items):
        message = f"Pairs of texts: {pairs} of the {len(items)} items; all or none must be."
        raise InvalidInput("mixed_texts", message)
    return bool(pairs)


def fingerprint(items: Sequence[Item]) -> str:
    """SHA-256 (hex) over the items' content hashes, in order; names and labels do not count."""
    if isinstance(items, TextItems):
        return _fingerprint_of_sorted(row.tobytes().hex() for row in items.digests)
    return fingerprint_of_hashes(item.sha256 for item in items)


def fingerprint_of_hashes(hashes: Iterable[str]) -> str:
    """`fingerprint` of items of which only the content hashes are known."""
    return _fingerprint_of_sorted(sorted(hashes))


def _fingerprint_of_sorted(hashes: Iterable[str]) -> str:
    digest, between = hashlib.sha256(), ""
    for content in hashes:
        digest.update(f"{between}{content}".encode())
        between = "\n"
    return digest.hexdigest()
