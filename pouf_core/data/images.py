"""Decoding pictures: the one rule that ingestion, training and prediction share."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from PIL import Image, ImageOps, UnidentifiedImageError

from pouf_core.contract.item_limits import MAX_ASPECT_RATIO, MAX_PIXELS
from pouf_core.errors import InvalidInput

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

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
    ZeroDivisionError,
    struct.error,
    zlib.error,
)
_PREMULTIPLIED = {"RGBa": "RGBA", "La": "LA"}
#: What white is in a wide grey picture: the least of these that holds its largest value.
_WHITES = (1.0, 255.0, 65535.0)


def decode_image(source: bytes | Path, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to 8-bit RGB.

    EXIF orientation is applied; transparency is composited on white; of an animation or of several pages the first
    counts; grey, palette, CMYK and 16-bit pictures are converted; colour profiles are not applied. The size is checked
    before pixels are decoded. A picture that ends early is refused.

    Args:
        source: the file's bytes or its path.
        max_pixels: largest width x height that is decoded.

    Raises:
        InvalidInput: `empty_file`, `undecodable_image`, `image_too_large` or `extreme_aspect_ratio`.
    """
    with _opened(source, max_pixels) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image)


def image_size(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of a picture, from its header; raises what `decode_image` raises before it decodes pixels."""
    with _opened(data, max_pixels) as image:
        return image.size


@contextmanager
def _opened(source: bytes | Path, max_pixels: int) -> Iterator[Image.Image]:
    """A picture whose header was read and whose size may be decoded; what Pillow raises becomes `InvalidInput`."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    if not data:
        raise InvalidInput("empty_file", "The file is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes, which our own limit is for
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                check_geometry(image.size, max_pixels)
                yield image
    except UnidentifiedImageError as error:
        formats = ", ".join(FORMATS)
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


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_eight_bits(image)
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit and wider grey to 0-255; Pillow's own conversion would clip at 255.

    16-bit grey is divided by 257, whatever it holds. Where the format does not say what white is (32-bit integers and
    floats), it is 1 (floats only), 255, 65535 or the largest value; black is 0 or the least value below.
    """
    if image.mode.startswith("I;16"):
        return _scaled(image.convert("I"), 0.0, 65535.0)
    low, high = cast(tuple[float, float], image.getextrema())  # of one band
    whites = _WHITES if image.mode == "F" else _WHITES[1:]
    return _scaled(image, min(low, 0.0), next((white for white in whites if high <= white), high))


def _scaled(image: Image.Image, black: float, white: float) -> Image.Image:
    factor = 255.0 / ((white - black) or 1.0)
    offset = 0.5 - black * factor  # conversion to 8 bits cuts off what follows the point
    return image.point(lambda value: value * factor + offset).convert("L")
