"""Decoding pictures in a process of its own: no picture can exhaust the memory or time of the service, or crash it."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from dataclasses import dataclass
from subprocess import PIPE
from typing import Any, Self

from PIL import Image

from pouf_core.data.deadline_pipes import DeadlineExpired, DeadlinePipes, StoodStill
from pouf_core.data.decoder_protocol import READY, REQUEST, WITH_PIXELS, Wanted
from pouf_core.data.limited_process import (
    CLOCK_SECONDS_PER_CPU_SECOND,
    ReaderUnavailable,
    describe_end,
    end,
    environment,
)
from pouf_core.errors import InvalidInput

logger = logging.getLogger(__name__)

MODULE = "pouf_core.data.decoder_process"
TIMED_OUT = "decoding_timed_out"
CRASHED = "decoding_crashed"
START_SECONDS = 180.0
"""On a busy machine starting takes minutes; a process that ends instead is told of at once."""
_LONGEST_HEADER = 64 * 1024
_ATTEMPTS = 2


class DecoderUnavailable(ReaderUnavailable):
    """The process cannot be started; no picture is the cause."""


class _Died(Exception):
    """The process ended before it answered."""


@dataclass(frozen=True)
class DecoderLimits:
    """What decoding one picture may take: bytes of memory, and seconds of computing."""

    memory_bytes: int
    cpu_seconds: float

    @property
    def clock_seconds(self) -> float:
        """After which a process that computes nothing is given up, too."""
        return self.cpu_seconds * CLOCK_SECONDS_PER_CPU_SECOND


class Decoder:
    """One process, started when first needed and again after one that was killed; used by one thread at a time."""

    def __init__(self, limits: DecoderLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process's id; None when there is none."""
        return self._process.pid if self._process is not None else None

    def check(self, data: bytes, max_pixels: int) -> None:
        """Raise `InvalidInput` unless the picture can be decoded; the codes are those of `decode`."""
        self._ask(data, max_pixels, Wanted.CHECK)

    def size(self, data: bytes, max_pixels: int) -> tuple[int, int]:
        """Width and height that the picture's header says; raises what `decode` raises before it decodes pixels."""
        size, _ = self._ask(data, max_pixels, Wanted.SIZE)
        return size

    def decode(self, data: bytes, max_pixels: int) -> Image.Image:
        """The picture as `decode_image` gives it.

        Raises:
            InvalidInput: what `decode_image` raises, or `decoding_out_of_memory`, `decoding_timed_out`,
                `decoding_crashed`.
            DecoderUnavailable: the process cannot be started.
        """
        size, pixels = self._ask(data, max_pixels, Wanted.PIXELS)
        return Image.frombytes("RGB", size, pixels)

    def thumbnail(self, data: bytes, max_pixels: int) -> Image.Image:
        """The picture as `decode_thumbnail` gives it; raises what `decode` raises."""
        size, pixels = self._ask(data, max_pixels, Wanted.THUMBNAIL)
        return Image.frombytes("RGB", size, pixels)

    def start(self) -> None:
        """Start the process if there is none; raises `DecoderUnavailable`."""
        if self._process is not None:
            return
        command = [sys.executable, "-m", MODULE]
        command += [str(self._limits.memory_bytes), str(self._limits.cpu_seconds)]
        self._process = subprocess.Popen(
            command, stdin=PIPE, stdout=PIPE, bufsize=0, env=environment(), start_new_session=True
        )
        self._pipes = DeadlinePipes(self._process)
        if not self._pipes.says(READY, START_SECONDS):
            raise DecoderUnavailable(f"The decoder did not start; {describe_end(self._end())}.")

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end()

    def _ask(self, data: bytes, max_pixels: int, wanted: Wanted) -> tuple[tuple[int, int], bytearray]:
        for attempt in range(1, _ATTEMPTS + 1):
            self.start()
            expired = False
            try:
                self._pipes.allow(self._limits.clock_seconds)
                return _exchange(self._pipes, data, max_pixels, wanted)
            except _Died:
                logger.debug("The decoder died of a picture of %d bytes.", len(data))
            except DeadlineExpired as error:  # whoever stands still once was stopped, and no picture is the cause
                expired = attempt == _ATTEMPTS or not isinstance(error, StoodStill)
            status = self._end()
            logger.warning("The decoder ended at a picture of %d bytes; %s.", len(data), describe_end(status))
            if expired or -status == signal.SIGXCPU:
                raise InvalidInput(TIMED_OUT, f"Decoding takes more than {self._limits.cpu_seconds:g} seconds.")
            if attempt == _ATTEMPTS:  # one death may be the system's doing, for example when memory ran out
                break
        raise InvalidInput(CRASHED, "The picture ends the process that decodes it.")

    def _end(self) -> int:
        """Kill the process, forget it and return its exit status."""
        process, self._process = self._process, None
        assert process is not None
        return end(process)


def _exchange(pipes: DeadlinePipes, data: bytes, max_pixels: int, wanted: Wanted) -> tuple[tuple[int, int], bytearray]:
    try:
        pipes.write(REQUEST.pack(len(data), max_pixels, wanted) + data)
        width, height = _size(pipes.read_line(_LONGEST_HEADER))
        if not 0 < width * height <= max_pixels:
            raise _Died
        return (width, height), pipes.read(3 * width * height if wanted in WITH_PIXELS else 0)
    except EOFError as error:
        raise _Died from error


def _size(header: bytes) -> tuple[int, int]:
    """Width and height from an answer's header; raises the `InvalidInput` that it holds instead."""
    try:
        answer: dict[str, Any] = json.loads(header)
        if "code" in answer:
            raise InvalidInput(str(answer["code"]), str(answer["message"]))
        return int(answer["width"]), int(answer["height"])
    except (ValueError, KeyError, TypeError) as error:
        raise _Died from error  # a process that a picture has taken over may answer anything
