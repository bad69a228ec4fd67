"""Decoding pictures: the one rule that ingestion, training and prediction share."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import AvifImagePlugin, Image, ImageOps, UnidentifiedImageError

from pouf_core.contract.item_limits import MAX_ASPECT_RATIO, MAX_PIXELS
from pouf_core.data.colours import to_srgb
from pouf_core.data.heif import decode_heif, heif_size, is_heif
from pouf_core.data.jpeg_scans import check_scans
from pouf_core.data.slow_decoders import check_decoder
from pouf_core.errors import InvalidInput

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
HEIF = "HEIF"
_OF_SCANS = ("JPEG", "MPO")

THUMBNAIL_SIDE = 256

#: What Pillow's decoders raise on damaged files.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    AttributeError,
    RuntimeError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)


_decodes_all = False


def decode_every_format_here() -> None:
    """Let this process decode what may end it too; for processes that are there to decode untrusted pictures alone.

    One thread decodes a picture, however many processors there are, so that limits of memory hold.
    """
    global _decodes_all
    import pi_heif  # which no other process needs

    pi_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    _decodes_all = True


def _formats() -> tuple[str, ...]:
    return (*FORMATS, HEIF) if _decodes_all else FORMATS


def decode_image(source: bytes | Path, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to 8-bit RGB.

    Of an animation or of several pages the first counts (of a HEIF file the one that it calls its primary). The size
    is checked before pixels are decoded. A picture that ends early is refused. What follows is `upright_srgb`.

    Args:
        source: the file's bytes or its path.
        max_pixels: largest width x height that is decoded.

    Raises:
        InvalidInput: `empty_file`, `undecodable_image`, `image_too_large` or `extreme_aspect_ratio`.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    if is_heif(data) and not _decodes_all:
        return decode_heif(data, max_pixels)
    with _opened(data, max_pixels) as image:
        return _decoded(image)


def decode_thumbnail(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A picture as `decode_image` gives it, neither side longer than `THUMBNAIL_SIDE`; raises the same."""
    if is_heif(data) and not _decodes_all:
        small = decode_heif(data, max_pixels)
    else:
        with _opened(data, max_pixels) as image:
            image.draft(None, (2 * THUMBNAIL_SIDE, 2 * THUMBNAIL_SIDE))  # of a JPEG no more is decoded then
            small = _decoded(image)
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return small


def _decoded(image: Image.Image) -> Image.Image:
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return to_srgb(image)


def upright_srgb(image: Image.Image) -> Image.Image:
    """A picture that a caller opened as `decode_image` gives a file's: EXIF orientation applied, and see `to_srgb`.

    Raises:
        InvalidInput: as `check_geometry`.
    """
    check_geometry(image.size)
    return to_srgb(ImageOps.exif_transpose(image))


def image_size(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of a picture, from its header; raises what `decode_image` raises before it decodes pixels."""
    if is_heif(data) and not _decodes_all:
        return heif_size(data, max_pixels)
    with _opened(data, max_pixels) as image:
        return image.size


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """A picture whose header was read and whose size may be decoded; what Pillow raises becomes `InvalidInput`."""
    if not data:
        raise InvalidInput("empty_file", "The file is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes, which our own limit is for
            with Image.open(io.BytesIO(data), formats=_formats()) as image:
                check_geometry(image.size, max_pixels)
                if image.format in _OF_SCANS:
                    check_scans(data, image.size)
                check_decoder(image, data)
                yield image
    except UnidentifiedImageError as error:
        formats = ", ".join((*FORMATS, HEIF))
        raise InvalidInput("undecodable_image", f"Not a picture in a known format ({formats}).") from error
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels) from error
    except DAMAGE as error:
        raise InvalidInput("undecodable_image", f"The picture is damaged: {error}") from error


def check_geometry(size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> None:
    """Raise `InvalidInput` ``image_too_large`` or ``extreme_aspect_ratio`` for a picture of that width and height."""
    if size[0] * size[1] > max_pixels:
        raise _too_large(max_pixels, size)
    if max(size) > MAX_ASPECT_RATIO * min(size):
        message = (
            f"The picture has {size[0]} x {size[1]} pixels; one side may be {MAX_ASPECT_RATIO} times the other at "
            "most. Crop it, or cut it into several."
        )
        raise InvalidInput("extreme_aspect_ratio", message)


def _too_large(max_pixels: int, size: tuple[int, int] | None = None) -> InvalidInput:
    found = f"The picture has {size[0]} x {size[1]} pixels" if size else "The picture is far too large"
    return InvalidInput("image_too_large", f"{found}; at most {max_pixels:,} pixels are accepted.")
