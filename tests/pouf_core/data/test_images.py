"""One rule for every picture, whole or damaged."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pouf_core.data.images import decode_image, image_size
from pouf_core.errors import InvalidInput


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def refusal(data: bytes, **options: int) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode_image(data, **options)
    return caught.value.code


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("RGB", (8, 6), (200, 100, 50)).convert(mode)
    decoded = decode_image(encoded(image))
    assert (decoded.mode, decoded.size) == ("RGB", (8, 6))


def test_cmyk_becomes_rgb() -> None:
    assert decode_image(encoded(Image.new("CMYK", (4, 4)), "JPEG")).mode == "RGB"


def test_transparency_is_composited_on_white() -> None:
    assert decode_image(encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 0)))).getpixel((0, 0)) == (255, 255, 255)
    half = decode_image(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 128)))).getpixel((0, 0))
    assert half[0] == pytest.approx(127, abs=2)


def test_palette_transparency_is_composited_on_white() -> None:
    image = Image.new("P", (2, 2), 0)
    image.putpalette([10, 20, 30] + [0] * 765)
    assert decode_image(encoded(image, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.array([[0, 32768, 65535]], dtype=np.uint16)
    decoded = decode_image(encoded(Image.fromarray(ramp)))
    assert [decoded.getpixel((x, 0))[0] for x in range(3)] == pytest.approx([0, 128, 255], abs=1)


def test_sixteen_bit_grey_is_scaled_alike_however_dark_it_is() -> None:
    dark = np.array([[0, 200, 257, 514]], dtype=np.uint16)
    decoded = decode_image(encoded(Image.fromarray(dark)))
    assert [decoded.getpixel((x, 0))[0] for x in range(4)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 32768.0, 65535.0], [0, 128, 255]),
        ([-70_000.0, 0.0, 70_000.0], [0, 128, 255]),
    ],
)
def test_grey_of_unknown_range_is_scaled_by_its_values(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], dtype=np.float32))
    decoded = decode_image(encoded(image, "TIFF"))
    assert [decoded.getpixel((x, 0))[0] for x in range(3)] == expected


def test_exif_orientation_is_applied() -> None:
    image = Image.new("RGB", (10, 4))
    exif = image.getexif()
    exif[0x0112] = 6  # rotated by a quarter turn
    assert decode_image(encoded(image, "JPEG", exif=exif)).size == (4, 10)


def test_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data).getpixel((0, 0)) == (255, 0, 0)


def test_damaged_empty_and_foreign_files_are_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    whole = encoded(noise, "JPEG")
    assert refusal(b"") == "empty_file"
    assert refusal(b"not a picture") == "undecodable_image"
    assert refusal(whole[: len(whole) // 2]) == "undecodable_image"
    assert refusal(encoded(noise)[:200]) == "undecodable_image"
    assert refusal(b"%PDF-1.4 " + whole) == "undecodable_image"


def test_enormous_pictures_are_refused_before_they_are_decoded() -> None:
    assert refusal(encoded(Image.new("1", (200, 100))), max_pixels=19_999) == "image_too_large"
    header = bytearray(encoded(Image.new("L", (1, 1))))
    header[16:24] = (60_000).to_bytes(4, "big") * 2  # a header that claims 3.6 gigapixels
    import zlib

    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    assert refusal(bytes(header)) == "image_too_large"


@pytest.mark.parametrize("size", [(1, 51), (5001, 100)])
def test_pictures_much_longer_than_wide_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    data = encoded(Image.new("1", size))
    assert refusal(data[:60]) == refusal(data) == "extreme_aspect_ratio"


def test_pictures_fifty_times_longer_than_wide_are_taken() -> None:
    assert decode_image(encoded(Image.new("1", (1, 50)))).size == (1, 50)


def test_the_size_is_read_from_the_header_alone() -> None:
    whole = encoded(Image.new("RGB", (400, 300)))
    assert image_size(whole[:60]) == (400, 300)
    with pytest.raises(InvalidInput, match="damaged|known format"):
        image_size(whole[:10])
    with pytest.raises(InvalidInput, match="pixels"):
        image_size(whole, max_pixels=400 * 300 - 1)


def test_paths_and_bytes_decode_alike(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.new("RGB", (3, 3), "green").save(path)
    assert decode_image(path).tobytes() == decode_image(path.read_bytes()).tobytes()
