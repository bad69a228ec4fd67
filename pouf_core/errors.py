"""Errors of the method: each carries a stable code and a message that says what to do."""

from __future__ import annotations

from collections.abc import Sequence


class PoufError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        code: stable snake_case identifier for programs.
        message: one or two sentences for people.
        field: JSON pointer of the request field at fault, or None.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class InvalidInput(PoufError):
    """The caller's request or data cannot be used as it is."""


class ArtifactError(PoufError):
    """A saved model directory is missing, damaged or of an unknown format."""


class OutOfMemory(PoufError):
    """Device or host memory ran out even at the smallest micro-batch."""


class TimedOut(PoufError):
    """A process that does the work did not answer in its time, and asking again may help."""


class AdaptationStopped(PoufError):
    """Adaptation was asked to stop at a step boundary; `code` is the reason that was given."""


class InvalidRequest(InvalidInput):
    """Everything that is wrong with a request; code, message and field are those of the first problem.

    Attributes:
        problems: at least one, each with a code, a message and the field at fault.
    """

    def __init__(self, problems: Sequence[InvalidInput]) -> None:
        first = problems[0]
        super().__init__(first.code, first.message, field=first.field)
        self.problems = list(problems)


def problems_of(error: InvalidInput) -> list[InvalidInput]:
    """The problems that an error stands for: those of an `InvalidRequest`, or itself."""
    return error.problems if isinstance(error, InvalidRequest) else [error]
