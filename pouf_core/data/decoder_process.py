"""The process that decodes untrusted pictures: `python -m pouf_core.data.decoder_process`.

It reads requests from its standard input and answers on its standard output, one after another, until the input ends.
A damaged or hostile picture can harm this process alone: it may write no files, and has neither the service's settings
nor its connections. `pouf_core.data.decoder` is the other side.
"""

from __future__ import annotations

import json
import math
import resource
import struct
import sys
import time
from pathlib import Path
from typing import IO

from PIL import Image

from pouf_core.data.images import decode_image
from pouf_core.errors import InvalidInput

#: Bytes of the picture's file, largest picture in pixels, whether its pixels are wanted.
REQUEST = struct.Struct(">QQ?")
READY = b"ready\n"
OUT_OF_MEMORY = "decoding_out_of_memory"
_OPEN_FILES = 32
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_STATM = Path("/proc/self/statm")


def main(memory_bytes: int, cpu_seconds: float) -> None:
    """Answer requests; each may take `memory_bytes` beyond what the process has now, and `cpu_seconds`."""
    Image.init()  # imports every decoder while files may still be opened freely
    _limit_resources(memory_bytes)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(READY)
    answers.flush()
    while header := requests.read(REQUEST.size):
        size, max_pixels, wants_pixels = REQUEST.unpack(header)
        _limit_cpu(cpu_seconds)
        _answer(requests, answers, size, max_pixels, wants_pixels)
        answers.flush()


def _answer(requests: IO[bytes], answers: IO[bytes], size: int, max_pixels: int, wants_pixels: bool) -> None:
    try:
        image = decode_image(requests.read(size), max_pixels=max_pixels)
        pixels = image.tobytes() if wants_pixels else b""
    except InvalidInput as error:
        _write_header(answers, code=error.code, message=error.message)
    except MemoryError:
        _write_header(answers, code=OUT_OF_MEMORY, message="Decoding the picture takes more memory than is allowed.")
    else:
        _write_header(answers, width=image.width, height=image.height)
        answers.write(pixels)


def _write_header(answers: IO[bytes], **values: str | int) -> None:
    answers.write(json.dumps(values).encode() + b"\n")


def _limit_resources(memory_bytes: int) -> None:
    for kind, limit in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(kind, (limit, limit))
    if sys.platform != "linux":
        return  # elsewhere address space is not limited, or not counted alike
    limit = _address_space() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _OOM_SCORE.write_text("1000")  # if memory runs out all the same, this process is the one to end


def _address_space() -> int:
    """Bytes that this process has mapped."""
    return int(_STATM.read_text().split()[0]) * resource.getpagesize()


def _limit_cpu(seconds: float) -> None:
    """Let the system end this process once it has computed for `seconds` more."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
