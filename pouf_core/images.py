"""Decoding pictures: the one rule that ingestion, training and prediction share."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pouf_core.errors import InvalidInput

MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


def decode_image(source: bytes | Path, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to 8-bit RGB.

    EXIF orientation is applied; transparency is composited on white; of an animation the first frame counts;
    grey, palette, CMYK and 16-bit pictures are converted. The size is checked before pixels are decoded.

    Args:
        source: the file's bytes or its path.
        max_pixels: largest width x height that is decoded.

    Raises:
        InvalidInput: `empty_file`, `undecodable_image` or `image_too_large`.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    if not data:
        raise InvalidInput("empty_file", "The file is empty.")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked just below
            _check_size(image, max_pixels)
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        formats = ", ".join(FORMATS)
        raise InvalidInput("undecodable_image", f"Not a picture in a known format ({formats}).") from error
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError, TypeError) as error:
        # Pillow's decoders raise all of these on damaged files.
        raise InvalidInput("undecodable_image", f"The picture is damaged: {error}") from error


def _check_size(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_large(max_pixels, image.size)


def _too_large(max_pixels: int, size: tuple[int, int] | None = None) -> InvalidInput:
    found = f"The picture has {size[0]} x {size[1]} pixels" if size else "The picture is far too large"
    return InvalidInput("image_too_large", f"{found}; at most {max_pixels:,} pixels are accepted.")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _to_eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit and wider grey to 0-255; Pillow's own conversion would clip at 255."""
    values = np.asarray(image, dtype=np.float64)
    low, high = min(values.min(), 0.0), values.max()
    top = high if high > 65535 else 65535.0 if high > 255 else 255.0
    scaled = (values - low) * (255.0 / ((top - low) or 1.0))
    return Image.fromarray(scaled.round().astype(np.uint8))
