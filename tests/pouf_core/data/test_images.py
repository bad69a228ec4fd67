"""One rule for every picture, whole or damaged."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pouf_core.data.images import decode_image, decode_thumbnail, image_size, upright_srgb
from pouf_core.errors import InvalidInput
from tests.corpus import heic
from tests.corpus.colour_profiles import linear_profile


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


RED, BLUE, GREEN = (200, 40, 40), (40, 60, 200), (0, 200, 0)


@pytest.mark.parametrize(
    ("data", "size", "top_left", "top_right"),
    [
        pytest.param(heic.UPRIGHT, (64, 48), BLUE, RED, id="upright"),
        pytest.param(heic.TURNED, (48, 64), RED, BLUE, id="turned"),
        pytest.param(heic.SECOND_IS_PRIMARY, (64, 48), GREEN, GREEN, id="the primary one of two"),
    ],
)
def test_heic_is_decoded(
    data: bytes, size: tuple[int, int], top_left: tuple[int, int, int], top_right: tuple[int, int, int]
) -> None:
    image = decode_image(data)
    assert image.size == size == image_size(data)
    assert image.getpixel((3, 3)) == pytest.approx(top_left, abs=6)
    assert image.getpixel((size[0] - 4, 3)) == pytest.approx(top_right, abs=6)


def test_heic_is_refused_for_its_shape_and_size_by_its_header() -> None:
    assert refusal(heic.LONG) == "extreme_aspect_ratio"
    assert refusal(heic.UPRIGHT, max_pixels=64 * 48 - 1) == "image_too_large"
    with pytest.raises(InvalidInput, match="50 times"):
        image_size(heic.LONG)


def test_heic_that_crashes_its_decoder_is_refused() -> None:
    assert refusal(heic.FATAL) == "decoding_crashed"
    assert decode_image(heic.UPRIGHT).size == (64, 48)


def test_avif_is_decoded_and_refused_for_its_shape_and_size() -> None:
    assert decode_image(encoded(Image.new("RGB", (20, 10), RED), "AVIF")).getpixel((5, 5)) == pytest.approx(RED, abs=6)
    assert refusal(encoded(Image.new("RGB", (4, 208)), "AVIF")) == "extreme_aspect_ratio"
    assert refusal(encoded(Image.new("RGB", (20, 10)), "AVIF"), max_pixels=199) == "image_too_large"


def test_the_first_of_several_pictures_in_a_jpeg_counts() -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    assert decode_image(data).getpixel((4, 4)) == pytest.approx((255, 0, 0), abs=3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_colour_profiles_are_applied(kind: str) -> None:
    grey = encoded(Image.new("RGB", (16, 16), (55, 55, 55)), kind, icc_profile=linear_profile())
    assert decode_image(grey).getpixel((8, 8)) == pytest.approx((128, 128, 128), abs=2)


def test_colour_profiles_are_applied_beneath_transparency_and_to_palettes() -> None:
    clear = encoded(Image.new("RGBA", (4, 4), (55, 55, 55, 255)), icc_profile=linear_profile())
    assert decode_image(clear).getpixel((2, 2)) == pytest.approx((128, 128, 128), abs=2)
    palette = encoded(Image.new("RGB", (4, 4), (55, 55, 55)).convert("P"), icc_profile=linear_profile())
    assert decode_image(palette).getpixel((2, 2)) == pytest.approx((128, 128, 128), abs=8)


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"no profile at all"),
        ("RGB", linear_profile()[:200]),
        ("RGB", linear_profile()[:128] + b"\xff" * 200),
        ("L", linear_profile()),
        ("CMYK", linear_profile()),
    ],
)
def test_profiles_that_are_damaged_or_of_other_colours_are_ignored(mode: str, profile: bytes) -> None:
    image = Image.new("RGB", (8, 8), (55, 99, 55)).convert(mode)
    with_profile, without = encoded(image, "TIFF", icc_profile=profile), encoded(image, "TIFF")
    assert decode_image(with_profile).tobytes() == decode_image(without).tobytes()


def test_a_picture_of_a_caller_is_taken_as_its_file_is() -> None:
    image = Image.new("RGBA", (10, 4), (255, 0, 0, 0))
    exif = image.getexif()
    exif[0x0112] = 6
    data = encoded(image, exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        assert upright_srgb(opened).tobytes() == decode_image(data).tobytes()


@pytest.mark.parametrize(
    ("kind", "mode", "size", "expected"),
    [
        ("JPEG", "RGB", (2000, 1000), (256, 128)),
        ("JPEG", "CMYK", (600, 600), (256, 256)),
        ("PNG", "P", (9, 5), (9, 5)),
        ("TIFF", "I;16", (600, 30), (256, 13)),
        ("PNG", "L", (2, 100), (2, 100)),
    ],
)
def test_thumbnails_are_small_whatever_the_picture_is(
    kind: str, mode: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    small = decode_thumbnail(encoded(Image.new(mode, size), kind))
    assert (small.mode, small.size) == ("RGB", expected)


def test_a_thumbnail_looks_like_its_picture() -> None:
    whole = Image.linear_gradient("L").resize((1600, 1200)).convert("RGB")
    small = decode_thumbnail(encoded(whole, "JPEG", quality=95))
    for x, y in ((4, 4), (128, 96), (250, 188)):
        expected = whole.getpixel((x * 1600 // 256, y * 1200 // 192))
        assert abs(small.getpixel((x, y))[0] - expected[0]) < 8
