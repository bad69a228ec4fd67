"""The process that reads files with faults: contents that begin with a mark do to it what a hostile file might."""

import errno
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pouf_core.data.reading import process
from pouf_core.data.reading.answers import Answer
from pouf_core.data.reading.protocol import ANSWER, LONGEST_ANSWER, Kind, TextsQuestion
from pouf_core.data.reading.texts import answer_texts

ABORT, SPIN, SLEEP, FILL, BABBLE, FLOOD, GARBAGE, NO_ROWS, NO_SPACE, READ_ONLY, ONCE, ENVIRONMENT = (
    f"fragile {what} ".encode()
    for what in "abort spin sleep fill babble flood garbage rows space readonly once environment".split()  # noqa: SIM905
)
ROWS = 1200


def fragile(question: TextsQuestion, source: Path | bytes, answer: Answer) -> None:
    """Give good rows first, then do what the mark says."""
    content = source.read_bytes() if isinstance(source, Path) else source
    mark, _, rest = content.partition(b"\n")
    if not mark.startswith(b"fragile"):
        answer_texts(question, source, answer)
        return
    for position in range(1, ROWS + 1):
        answer.row((position, f"text {position}", None, None, None, None), 1)
    act(mark, rest.decode(), answer)


def act(mark: bytes, rest: str, answer: Answer) -> None:
    if mark == ONCE and not Path(rest).exists():
        os.mkdir(rest)  # noqa: PTH102 - files may not be written here
        os.abort()
    if mark in ANSWERED:
        sys.stdout.buffer.write(ANSWERED[mark])
        sys.stdout.buffer.flush()
    if mark in DONE:
        DONE[mark]()
    if mark == NO_ROWS:
        for row in ((1, text, None, None, None, None) for text in ("a\0b", "", None)):
            answer.row(row, 1 << 20)


def spin() -> None:
    while True:
        pass


def refuse_for_lack_of(number: int) -> None:
    raise OSError(number, os.strerror(number))


def tell_environment() -> None:
    raise process.InvalidInput("environment", " ".join(os.environ))


ANSWERED = {
    BABBLE: b"\xff" * 100,
    FLOOD: ANSWER.pack(Kind.ROWS, LONGEST_ANSWER + 1) + bytes(LONGEST_ANSWER),
    GARBAGE: ANSWER.pack(Kind.ROWS, 8) + b'[[1, "a"',
}
DONE: dict[bytes, Callable[[], object]] = {
    ABORT: os.abort,
    SPIN: spin,
    SLEEP: partial(time.sleep, 1000),
    FILL: partial(bytearray, 1 << 40),
    NO_SPACE: partial(refuse_for_lack_of, errno.ENOSPC),
    READ_ONLY: partial(refuse_for_lack_of, errno.EROFS),
    ENVIRONMENT: tell_environment,
}


if __name__ == "__main__":
    process._TASKS["texts"] = fragile
    process.main(int(sys.argv[1]))
