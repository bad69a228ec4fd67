"""One question to a process of its own, and its answer, both as JSON.

The process has none of the service's secrets, and ends with the one that asks.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pouf_core.data.tied_run import run_tied

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT", bound=BaseModel)
_LOGGED_BYTES = 2000


class Unanswered(Exception):
    """The process gave no answer.

    Attributes:
        status: its exit status; None where it took too long, or stood still.
        said: the end of what it printed, which tells a full disk.
    """

    def __init__(self, status: int | None, said: str = "") -> None:
        super().__init__(status, said)
        self.status = status


def ask(
    module: str, question: BaseModel, answer: type[AnswerT], *, seconds: float, variables: Mapping[str, str]
) -> AnswerT:
    """What a module answers that reads the question from standard input.

    Args:
        module: it is run as `python -m`.
        question: what is asked.
        answer: the kind of the answer.
        seconds: after which the process is killed.
        variables: of its environment, beside those of `limited_process.environment`.

    Raises:
        Unanswered: it ended without an answer, which is logged with what it printed, or it took too long, or
            stood still.
    """
    try:
        ran = run_tied(module, seconds=seconds, given=question.model_dump_json().encode(), variables=variables)
    except subprocess.TimeoutExpired as error:
        raise Unanswered(None) from error
    try:
        return answer.model_validate_json(ran.stdout)
    except ValidationError as error:
        said = ran.stderr[-_LOGGED_BYTES:].decode(errors="replace")
        logger.warning("%s ended: %s", module, said)
        raise Unanswered(ran.returncode, said) from error
