"""From what a request carries to pictures and texts."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from pouf_core.errors import InvalidInput
from pouf_core.texts import clean_text


@dataclass(frozen=True)
class Text:
    """A text, or a pair of them."""

    text: str
    pair: str | None = None


# a picture's file, its base64, a text, or what is wrong with the input
Source = bytes | str | Text | InvalidInput
_DATA_URL = re.compile(r"data:[\w.+/-]*;base64,", re.ASCII)
_WHITESPACE = re.compile(r"\s+")


def decode(source: Source, modality: str, decode_picture: Callable[[bytes], Image]) -> Any:
    """Return the picture or text that a model of `modality` takes.

    Raises `InvalidInput`: ``wrong_modality``, ``text_pair_not_supported``, ``invalid_base64``, or what
    `decode_picture` and `clean_text` raise.
    """
    if isinstance(source, InvalidInput):
        raise source
    if modality == "text":
        return _decode_text(source)
    if isinstance(source, Text):
        raise InvalidInput("wrong_modality", "This model classifies pictures, not texts: send `image`.")
    return decode_picture(_from_base64(source) if isinstance(source, str) else source)


def _decode_text(source: bytes | str | Text) -> str:
    if not isinstance(source, Text):
        raise InvalidInput("wrong_modality", "This model classifies texts, not pictures: send `text` as JSON.")
    if source.pair is not None:
        message = "A sentence encoder embeds single texts, and a pair joined to one text means another: send `text`."
        raise InvalidInput("text_pair_not_supported", message)
    return clean_text(source.text)


def _from_base64(text: str) -> bytes:
    match = _DATA_URL.match(text)
    encoded = text[match.end() :] if match else text
    try:
        return base64.b64decode(_WHITESPACE.sub("", encoded), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("invalid_base64", "The image is not valid base64.") from error
