"""Which files are pictures by their first bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pouf_core.data.picture_marks import HEAD_OF_PICTURE, is_picture


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000"])
def test_what_pillow_writes_is_told_by_its_beginning(kind: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(stream, kind)
    assert is_picture(stream.getvalue()[:HEAD_OF_PICTURE])


def test_pictures_of_phones_are_told() -> None:
    assert is_picture(b"\0\0\0\x24ftypheic")


@pytest.mark.parametrize(
    "head", [b"", b"RIFF\0\0\0\0WAVE", b"P5 is a text"[:2], b"\0\0\0\x20ftypmp42", b"PK\3\4", b"text"]
)
def test_other_files_are_none(head: bytes) -> None:
    assert not is_picture(head)
