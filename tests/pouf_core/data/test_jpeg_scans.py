"""JPEGs whose few bytes send the decoder through the whole picture again and again."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pouf_core.data.images import decode_image
from pouf_core.errors import InvalidInput

SIDE = 2000
#: For a picture of this size.
TOO_MANY = 376


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (SIDE, SIDE)).save(stream, "JPEG", **options)
    return stream.getvalue()


def with_scans(count: int) -> bytes:
    """A progressive picture whose last scan comes so many times more."""
    data = jpeg(progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + count * last + data[-2:]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_progressive_picture_is_decoded(mode: str) -> None:
    assert decode_image(jpeg(mode, progressive=True)).size == (SIDE, SIDE)


def test_a_picture_of_hundreds_of_scans_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_image(with_scans(TOO_MANY))
    assert (refused.value.code, "scans" in refused.value.message) == ("undecodable_image", True)


def test_what_looks_like_scans_in_other_parts_is_not_counted() -> None:
    data, comment = jpeg(), TOO_MANY * b"\xff\xda"
    commented = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]
    assert decode_image(commented + comment).size == (SIDE, SIDE)
