"""Collecting problems, so that one of them does not hide the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pouf_core.errors import InvalidInput, InvalidRequest, problems_of

Parsed = TypeVar("Parsed")


class Problems:
    """What was found wrong so far.

    Attributes:
        found: the problems, in the order in which they were found.
    """

    def __init__(self) -> None:
        self.found: list[InvalidInput] = []

    def attempt(self, parse: Callable[[], Parsed], field: str | None = None) -> Parsed | None:
        """What `parse` gives; None where it raised `InvalidInput`, which is kept.

        Args:
            parse: may raise `InvalidInput`.
            field: JSON pointer of the field at fault, where the error names none.
        """
        try:
            return parse()
        except InvalidInput as error:
            for problem in problems_of(error):
                problem.field = problem.field or field
                self.found.append(problem)
            return None

    def raise_any(self) -> None:
        """Raise `InvalidRequest` with all of them, if there are any."""
        if self.found:
            raise InvalidRequest(self.found)
