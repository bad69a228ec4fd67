"""The process that reads untrusted files: `python -m pouf_core.data.reading.process MEMORY_BYTES`.

It reads questions from its standard input and answers on its standard output, one after another, until the input ends.
A damaged or hostile file can harm this process alone, which has neither the service's settings nor its connections.
What has parsers of its own, in other languages, is read in processes below it. `pouf_core.data.reading.reader` is the
other side.
"""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pouf_core.data.limited_process import is_of_the_system, limit_file_size, limit_with_children
from pouf_core.data.reading.answers import Answer
from pouf_core.data.reading.embeddings import answer_embeddings
from pouf_core.data.reading.labels import answer_label_pairs, answer_row_labels
from pouf_core.data.reading.pictures import answer_pictures
from pouf_core.data.reading.protocol import QUESTIONS, READY, REQUEST, AnyQuestion
from pouf_core.data.reading.texts import answer_texts
from pouf_core.errors import InvalidInput

logger = logging.getLogger(__name__)

OUT_OF_MEMORY = "reading_out_of_memory"
UNREADABLE = "unreadable_file"
#: Errors by which the system holds a process to its limits.
_OF_LIMITS = {errno.ENOMEM, errno.EFBIG}
_TASKS: dict[str, Callable[[Any, Path | bytes, Answer], None]] = {
    "texts": answer_texts,
    "label_pairs": answer_label_pairs,
    "row_labels": answer_row_labels,
    "embeddings": answer_embeddings,
    "pictures": answer_pictures,
}


def main(memory_bytes: int) -> None:
    """Answer questions; all together may take `memory_bytes` beyond what the process has now."""
    limit_with_children(memory_bytes, 0)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(READY)
    answers.flush()
    while header := questions.read(REQUEST.size):
        asked_bytes, given_bytes = REQUEST.unpack(header)
        question = QUESTIONS.validate_json(questions.read(asked_bytes))
        _answer(question, question.path or questions.read(given_bytes), answers)


def _answer(question: AnyQuestion, source: Path | bytes, stream: IO[bytes]) -> None:
    limit_file_size(question.file_bytes)
    answer = Answer(stream, question.seconds)
    try:
        _TASKS[question.task](question, source, answer)
    except InvalidInput as error:
        answer.refuse(error)
    except Exception as error:
        if is_of_the_system(error):
            answer.fault(error)
            return
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _OF_LIMITS):
            answer.refuse(InvalidInput(OUT_OF_MEMORY, "Reading the file takes more memory or room than is allowed."))
            return
        logger.exception("A file cannot be read.")
        message = f"The file cannot be read ({type(error).__name__}). Save it again, in one of the usual formats."
        answer.refuse(InvalidInput(UNREADABLE, message))
    else:
        answer.end()


if __name__ == "__main__":
    main(int(sys.argv[1]))
