"""The process that decodes untrusted pictures: `python -m pouf_core.data.decoder_process`.

It reads requests from its standard input and answers on its standard output, one after another, until the input ends.
A damaged or hostile picture can harm this process alone: it may write no files, and has neither the service's settings
nor its connections. `pouf_core.data.decoder` is the other side.
"""

from __future__ import annotations

import json
import sys
from typing import IO

from PIL import Image

from pouf_core.data.decoder_protocol import READY, REQUEST, WITH_PIXELS, Wanted
from pouf_core.data.images import decode_every_format_here, decode_image, decode_thumbnail, image_size
from pouf_core.data.limited_process import limit_cpu, limit_resources
from pouf_core.errors import InvalidInput

OUT_OF_MEMORY = "decoding_out_of_memory"


def main(memory_bytes: int, cpu_seconds: float) -> None:
    """Answer requests; each may take `memory_bytes` beyond what the process has now, and `cpu_seconds`."""
    decode_every_format_here()
    Image.init()  # imports every decoder while files may still be opened freely
    limit_resources(memory_bytes)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(READY)
    answers.flush()
    while header := requests.read(REQUEST.size):
        size, max_pixels, wanted = REQUEST.unpack(header)
        limit_cpu(cpu_seconds)
        _answer(answers, requests.read(size), max_pixels, Wanted(wanted))
        answers.flush()


def _answer(answers: IO[bytes], data: bytes, max_pixels: int, wanted: Wanted) -> None:
    pixels = b""
    try:
        if wanted is Wanted.SIZE:
            width, height = image_size(data, max_pixels=max_pixels)
        else:
            decode = decode_thumbnail if wanted is Wanted.THUMBNAIL else decode_image
            image = decode(data, max_pixels=max_pixels)
            width, height = image.size
            pixels = image.tobytes() if wanted in WITH_PIXELS else b""
    except InvalidInput as error:
        _write_header(answers, code=error.code, message=error.message)
    except MemoryError:
        _write_header(answers, code=OUT_OF_MEMORY, message="Decoding the picture takes more memory than is allowed.")
    else:
        _write_header(answers, width=width, height=height)
        answers.write(pixels)


def _write_header(answers: IO[bytes], **values: str | int) -> None:
    answers.write(json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
