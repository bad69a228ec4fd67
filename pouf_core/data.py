"""Target data: items known by their content. Names, directories and labels leave no trace in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pouf_core.errors import InvalidInput
from pouf_core.images import decode_image

_IGNORED = {".", "_"}  # first characters of hidden files and of archive leftovers such as __MACOSX


@dataclass(frozen=True)
class Item:
    """One picture: the SHA-256 (hex) of its content and where the content is."""

    sha256: str
    source: Path | Image.Image

    def image(self) -> Image.Image:
        """The decoded RGB picture."""
        return decode_image(self.source) if isinstance(self.source, Path) else self.source


@dataclass(frozen=True)
class Rejected:
    """A file that could not be used, and why."""

    name: str
    code: str
    message: str


def collect_items(data: str | Path | Iterable[str | Path | Image.Image]) -> tuple[list[Item], list[Rejected]]:
    """Items in order of content hash, each content once, and the files that were refused.

    Args:
        data: a folder (searched recursively), paths, or PIL images.

    Raises:
        InvalidInput: `no_usable_items`, `data_not_found`.
    """
    sources = _folder(Path(data)) if isinstance(data, str | Path) else list(data)
    items: dict[str, Item] = {}
    rejected: list[Rejected] = []
    for source in sources:
        try:
            item = _item(source)
            items.setdefault(item.sha256, item)
        except InvalidInput as error:
            rejected.append(Rejected(str(source), error.code, error.message))
    if not items:
        raise InvalidInput("no_usable_items", "There is no picture that can be decoded in the data.")
    return [items[key] for key in sorted(items)], rejected


def _folder(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise InvalidInput("data_not_found", f"{directory} is not a folder.")
    return [
        Path(root) / name
        for root, _, names in os.walk(directory)
        for name in sorted(names)
        if name[0] not in _IGNORED and not name.lower().endswith((".csv", ".txt", ".md", ".json"))
    ]


def _item(source: str | Path | Image.Image) -> Item:
    if isinstance(source, Image.Image):
        image = source.convert("RGB")
        return Item(hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest(), image)
    path = Path(source)
    if not path.is_file():
        raise InvalidInput("data_not_found", f"{path} does not exist.")
    content = path.read_bytes()
    decode_image(content)
    return Item(hashlib.sha256(content).hexdigest(), path)


def fingerprint(items: Sequence[Item]) -> str:
    """SHA-256 (hex) over the items' content hashes, in order; names and labels leave no trace."""
    return hashlib.sha256("\n".join(sorted(item.sha256 for item in items)).encode()).hexdigest()
