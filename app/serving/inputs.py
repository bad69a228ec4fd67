"""From what a request carries to pictures and texts."""

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import LifoQueue
from typing import TYPE_CHECKING

from PIL.Image import Image

from pouf_core.data.decoder import Decoder, DecoderLimits
from pouf_core.data.texts import Text, TextItem
from pouf_core.errors import InvalidInput

if TYPE_CHECKING:
    from pouf_core.predictor import Predictor

# a picture's file, its base64, a text, or what is wrong with the input
Source = bytes | str | TextItem | InvalidInput
# what encoders take
Item = Image | Text

_DATA_URL = re.compile(r"data:[\w.+/-]*;base64,", re.ASCII)
_WHITESPACE = re.compile(r"\s+")


def decode(source: Source, predictor: "Predictor", decode_picture: Callable[[bytes], Image]) -> Item:
    """Return the picture or text that the predictor takes.

    Raises `InvalidInput`: ``wrong_modality``, ``invalid_base64``, or what `decode_picture` and the predictor's `decode`
    raise.
    """
    if isinstance(source, InvalidInput):
        raise source
    if predictor.modality == "text":
        if not isinstance(source, TextItem):
            raise InvalidInput("wrong_modality", "This model classifies texts, not pictures: send `text` as JSON.")
        text: Text = predictor.decode(source)
        return text
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


def item_bytes(item: Item) -> int:
    """Return about how many bytes an item takes in memory: a picture's pixels, a text's characters."""
    return item.width * item.height * 3 if isinstance(item, Image) else len(item)


class DecoderPool:
    """`count` processes that decode pictures, each started when it is first needed and used by one thread at a time."""

    def __init__(self, count: int, limits: DecoderLimits, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        # the one used last is taken first, so that a quiet service keeps one process
        self._free: LifoQueue[Decoder] = LifoQueue()
        self._closed = False
        self._lock = threading.Lock()
        for _ in range(count):
            self._free.put(Decoder(limits))

    def decode(self, data: bytes) -> Image:
        """Decode a picture, waiting for a free decoder; raises what `Decoder.decode` raises."""
        with self._decoder() as decoder:
            return decoder.decode(data, self._max_pixels)

    def start(self) -> None:
        """Start one process, so that the first request does not wait for it."""
        with self._decoder() as decoder:
            decoder.start()

    def close(self) -> None:
        """End the processes; one that is in use ends when its picture is done."""
        with self._lock:
            self._closed = True
            while not self._free.empty():
                self._free.get().close()

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        decoder = self._free.get()
        try:
            yield decoder
        finally:
            with self._lock:
                if self._closed:
                    decoder.close()
                self._free.put(decoder)
