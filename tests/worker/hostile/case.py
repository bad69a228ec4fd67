"""What a hostile file is: how it is made, and what ingestion must say to it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image

ACCEPTED = "accepted"
DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Case:
    """A file of the corpus.

    Attributes:
        name: tells what is wrong with it, and is part of its file name.
        suffix: of its file name.
        build: makes its bytes from a tag, which every item that comes out of it has in its name.
        outcome: how many of its items end how: accepted, duplicate, or rejected with a code.
    """

    name: str
    suffix: str
    build: Callable[[str], bytes]
    outcome: Mapping[str, int]


def picture(tag: str, size: tuple[int, int] = (24, 24), mode: str = "RGB") -> Image.Image:
    """A picture that differs from tag to tag."""
    seed = zlib.crc32(tag.encode())
    image = Image.new("RGB", size, (seed & 255, seed >> 8 & 255, seed >> 16 & 255))
    image.putpixel((1, 1), (seed >> 24 & 255, 0, 255))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def good(tag: str) -> bytes:
    """A harmless PNG."""
    return encoded(picture(tag))
