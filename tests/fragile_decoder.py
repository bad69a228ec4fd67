"""The decoder process with faults: contents that begin with a mark do to it what a hostile picture might."""

import os
import sys
import time
from typing import Any

from pouf_core.data import decoder_process
from pouf_core.data.images import decode_image

ABORT, SPIN, SLEEP, FILL, BABBLE, WRITE, ENVIRONMENT = (
    f"fragile {what}".encode() for what in ("abort", "spin", "sleep", "fill", "babble", "write", "environment")
)


def fragile(source: bytes, **options: Any) -> Any:
    if source.startswith(ABORT):
        os.abort()
    if source.startswith(SPIN):
        while True:
            pass
    if source.startswith(SLEEP):
        time.sleep(1000)
    if source.startswith(FILL):
        return bytearray(1 << 40)
    if source.startswith(BABBLE):
        os.write(1, b"not an answer\n")
        time.sleep(1000)
    if source.startswith(WRITE):
        with open(source.removeprefix(WRITE).strip().decode(), "wb") as stream:  # noqa: PTH123
            stream.write(b"x")
    if source.startswith(ENVIRONMENT):
        raise decoder_process.InvalidInput("environment", " ".join(os.environ))
    return decode_image(source, **options)


if __name__ == "__main__":
    decoder_process.decode_image = fragile
    decoder_process.main(int(sys.argv[1]), float(sys.argv[2]))
