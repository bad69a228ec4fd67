"""HEIC pictures, as phones take them: decoded in a process of its own wherever they are met.

Some damaged files end the process that decodes them, which must be no caller's own.
"""

from __future__ import annotations

import os
import threading

from PIL import Image

from pouf_core.contract.item_limits import DECODING_CPU_SECONDS, DECODING_MEMORY_BYTES
from pouf_core.data.decoder import Decoder, DecoderLimits

_BOX, _BRAND = slice(4, 8), slice(8, 12)
_AVIF_BRANDS = (b"avif", b"avis")


def is_heif(data: bytes) -> bool:
    """Whether a file is of the family of HEIF, AVIF aside."""
    return data[_BOX] == b"ftyp" and data[_BRAND] not in _AVIF_BRANDS


def decode_heif(data: bytes, max_pixels: int) -> Image.Image:
    """The picture as `decode_image` gives it; raises what `Decoder.decode` raises."""
    return _own_decoder().decode(data, max_pixels)


def heif_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Width and height by the header; raises what `Decoder.size` raises."""
    return _own_decoder().size(data, max_pixels)


class _Kept(threading.local):
    """The decoder of this thread; a process that was forked needs one of its own."""

    decoder: Decoder | None = None
    process_id = 0


_kept = _Kept()


def _own_decoder() -> Decoder:
    if _kept.decoder is None or _kept.process_id != os.getpid():
        _kept.decoder = Decoder(DecoderLimits(DECODING_MEMORY_BYTES, DECODING_CPU_SECONDS))
        _kept.process_id = os.getpid()
    return _kept.decoder
