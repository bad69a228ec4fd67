"""Pictures of few bytes, or of kinds that nobody writes, that are decoded in Python."""

from __future__ import annotations

import struct

import pytest

from pouf_core.data.images import decode_image
from pouf_core.errors import InvalidInput


def bmp_in_runs(side: int) -> bytes:
    """A BMP of which each line is one pixel, and filled up."""
    rows = b"\1\1\0\0" * side
    palette = bytes(1024)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 1, 1, 256, 0)
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + palette + rows


def few_shades(side: int) -> bytes:
    return f"P6 {side} {side} 7\n".encode() + bytes(3 * side * side)


def digits(side: int, comments: int = 0) -> bytes:
    return f"P2 {side} {side} 9\n".encode() + b"#\n" * comments + b"1 " * side * side


LARGE = 2300


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bmp_in_runs(LARGE), id="a BMP in runs"),
        pytest.param(few_shades(LARGE), id="a PPM of few shades"),
        pytest.param(digits(LARGE), id="a PPM of digits"),
        pytest.param(digits(20, comments=1001), id="many comments"),
        pytest.param(digits(20) + b" " * 16 * 1024**2, id="a small picture in a large file"),
    ],
)
def test_a_large_picture_of_a_slow_kind_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_image(data)
    assert (refused.value.code, "save it as PNG" in refused.value.message) == ("undecodable_image", True)


@pytest.mark.parametrize("data", [bmp_in_runs(300), few_shades(300), digits(300, comments=3)])
def test_a_usual_picture_of_such_a_kind_is_decoded(data: bytes) -> None:
    assert decode_image(data).size == (300, 300)
