"""Processes that decode the pictures of requests, shared by all of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import LifoQueue

from PIL.Image import Image

from pouf_core.data.decoder import Decoder, DecoderLimits


class Decoders:
    """`count` decoders, each started when it is first needed and used by one thread at a time."""

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
