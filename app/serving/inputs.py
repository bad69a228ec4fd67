"""From what a request carries to pictures and texts."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Protocol

from PIL.Image import Image

from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput


class Decoder(Protocol):
    """A predictor, as far as inputs are concerned."""

    modality: str

    def decode(self, source: Any) -> Any:
        """Return the item in the form that the predictor's encoders take."""


# a picture's file, its base64, a text, or what is wrong with the input
Source = bytes | str | TextItem | InvalidInput
_DATA_URL = re.compile(r"data:[\w.+/-]*;base64,", re.ASCII)
_WHITESPACE = re.compile(r"\s+")


def decode(source: Source, predictor: Decoder, decode_picture: Callable[[bytes], Image]) -> Any:
    """Return the picture or text that the predictor takes.

    Raises `InvalidInput`: ``wrong_modality``, ``invalid_base64``, or what `decode_picture` and the predictor's `decode`
    raise.
    """
    if isinstance(source, InvalidInput):
        raise source
    if predictor.modality == "text":
        if not isinstance(source, TextItem):
            raise InvalidInput("wrong_modality", "This model classifies texts, not pictures: send `text` as JSON.")
        return predictor.decode(source)
    if isinstance(source, TextItem):
        raise InvalidInput("wrong_modality", "This model classifies pictures, not texts: send `image`.")
    return decode_picture(_from_base64(source) if isinstance(source, str) else source)


def _from_base64(text: str) -> bytes:
    match = _DATA_URL.match(text)
    encoded = text[match.end() :] if match else text
    try:
        return base64.b64decode(_WHITESPACE.sub("", encoded), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("invalid_base64", "The image is not valid base64.") from error
