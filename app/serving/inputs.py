"""From what a request carries to pictures, texts and embeddings."""

import base64
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from pouf_core.contract.base_model import Modality
from pouf_core.data.decoder import Decoder, DecoderLimits
from pouf_core.data.texts import Text, TextItem
from pouf_core.errors import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class EmbeddingSource:
    """An embedding as it was sent: its numbers, or the base64 of them as float32, little-endian."""

    values: Sequence[float] | str


# a picture's file, its base64, a text, an embedding, or what is wrong with the input
Source = bytes | str | TextItem | EmbeddingSource | InvalidInput
# an input, decoded
Item = Image | Text | NDArray[np.float32]
# what encoders take
Prepared = Union[Item, "Tensor"]

_SHOWN: dict[Modality, str] = {"image": "a picture", "text": "a text", "embedding": "an embedding"}
_WANTED: dict[Modality, str] = {
    "image": "this model classifies pictures: send `image`.",
    "text": "this model classifies texts: send `text` as JSON.",
    "embedding": "this model classifies embeddings: send `embedding` or `embedding_base64` as JSON.",
}
_DATA_URL = re.compile(r"data:[\w.+/-]{0,200};base64,", re.ASCII)
_WHITESPACE = b" \t\r\n\v\f"
_USUAL_ALPHABET = bytes.maketrans(b"-_", b"+/")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{0,20}://", re.ASCII | re.IGNORECASE)


class Reader(Protocol):
    """What takes items of a modality: a predictor, or a base model."""

    @property
    def modality(self) -> Modality:
        """Return what it takes."""

    def decode(self, source: Any) -> Any:
        """Return a text or an embedding as its encoder takes it; raises `InvalidInput`."""


def decode(source: Source, reader: Reader, decode_picture: Callable[[bytes], Image]) -> Item:
    """Return the picture, text or embedding that the reader takes.

    Raises `InvalidInput`: ``wrong_modality``, ``invalid_base64``, or what `decode_picture` and the reader's `decode`
    raise.
    """
    if isinstance(source, InvalidInput):
        raise source
    kind = _kind_of(source)
    if kind != reader.modality:
        raise InvalidInput("wrong_modality", f"This input is {_SHOWN[kind]}, and {_WANTED[reader.modality]}")
    if isinstance(source, TextItem):
        text: Text = reader.decode(source)
        return text
    if isinstance(source, EmbeddingSource):
        values = source.values
        vector: NDArray[np.float32] = reader.decode(
            _from_base64(values, "embedding") if isinstance(values, str) else values
        )
        return vector
    return decode_picture(picture_bytes(source))


def picture_bytes(source: bytes | str) -> bytes:
    """Return a picture's file; raises `InvalidInput` ``invalid_base64``."""
    return _from_base64(source, "image") if isinstance(source, str) else source


def _kind_of(source: bytes | str | TextItem | EmbeddingSource) -> Modality:
    if isinstance(source, EmbeddingSource):
        return "embedding"
    return "text" if isinstance(source, TextItem) else "image"


def _from_base64(text: str, what: str) -> bytes:
    match = _DATA_URL.match(text)
    encoded = text[match.end() :] if match else text
    try:
        return base64.b64decode(encoded.encode("ascii").translate(None, _WHITESPACE), validate=True)
    except ValueError as error:  # also of letters beyond ASCII
        raise InvalidInput("invalid_base64", f"The {what} is {_instead_of_base64(encoded)}.") from error


def _instead_of_base64(text: str) -> str:
    """What was sent, and what to do about it."""
    if _ADDRESS.match(text):
        return "an address, and nothing is fetched from one: send the bytes themselves, in base64"
    try:
        usual = text.encode().translate(_USUAL_ALPHABET, _WHITESPACE).rstrip(b"=")
        base64.b64decode(usual + b"=" * (-len(usual) % 4), validate=True)
    except ValueError:
        return "not valid base64"
    return "base64 with - and _, or without the = at its end: send the usual form, with +, / and ="


def item_bytes(item: Prepared) -> int:
    """Return about how many bytes an item takes in memory: its pixels, characters or numbers."""
    if isinstance(item, Image):
        return item.width * item.height * 3
    return len(item) if isinstance(item, str | TextItem) else item.nbytes


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

    def size(self, data: bytes) -> tuple[int, int]:
        """Return the width and height that a picture's header says; raises what `Decoder.size` raises."""
        with self._decoder() as decoder:
            return decoder.size(data, self._max_pixels)

    def thumbnail(self, data: bytes) -> Image:
        """Decode a picture to a small copy, waiting for a free decoder; raises what `Decoder.thumbnail` raises."""
        with self._decoder() as decoder:
            return decoder.thumbnail(data, self._max_pixels)

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
