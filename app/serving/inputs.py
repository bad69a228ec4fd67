"""From what a request carries to pictures."""

import base64
import binascii
import re

from PIL.Image import Image

from pouf_core.errors import InvalidInput
from pouf_core.images import decode_image

# a picture's file, its base64, or what is wrong with the input
Source = bytes | str | InvalidInput
_DATA_URL = re.compile(r"data:[\w.+/-]*;base64,", re.ASCII)
_WHITESPACE = re.compile(r"\s+")


def decode(source: Source, max_pixels: int) -> Image:
    """Return the picture; raises `InvalidInput` ``invalid_base64`` or what `decode_image` raises."""
    if isinstance(source, InvalidInput):
        raise source
    if isinstance(source, str):
        source = _from_base64(source)
    return decode_image(source, max_pixels=max_pixels)


def _from_base64(text: str) -> bytes:
    match = _DATA_URL.match(text)
    encoded = text[match.end() :] if match else text
    try:
        return base64.b64decode(_WHITESPACE.sub("", encoded), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("invalid_base64", "The image is not valid base64.") from error
