"""Pictures that Pillow decodes in Python, pixel by pixel, which takes a hundred times as long as in C."""

from __future__ import annotations

from PIL import Image

from pouf_core.errors import InvalidInput

MOST_PIXELS = 5_000_000
MOST_BYTES = 16 * 1024**2
#: In a PPM of digits; each takes as long as many pixels.
MOST_COMMENTS = 1000
_OF_DIGITS = "ppm_plain"


def check_decoder(image: Image.Image, data: bytes) -> None:
    """Refuse a large picture, opened from its file, that is decoded in Python: BMP in runs, PPM of unusual kinds.

    Raises:
        InvalidInput: `undecodable_image`.
    """
    tiles = getattr(image, "tile", [])
    if not tiles or tiles[0][0] not in Image.DECODERS:
        return
    width, height = image.size
    comments = data.count(b"#") if tiles[0][0] == _OF_DIGITS else 0
    if width * height > MOST_PIXELS or len(data) > MOST_BYTES or comments > MOST_COMMENTS:
        message = f"A {image.format} of this kind is decoded slowly, and this one is large; save it as PNG."
        raise InvalidInput("undecodable_image", message)
