"""Which statuses the OpenAPI document has for an operation, so that every refusal that a test sees is looked up."""

import re
from functools import cache

from app.main import create_app
from app.openapi import operations
from store.settings import Settings
from tests.app.colour_engine import ColourEngine


def documented_statuses(method: str, path: str) -> set[int] | None:
    """The statuses of the operation that serves a path; None where no operation does."""
    for pattern, known, statuses in _operations():
        if known == method.lower() and pattern.fullmatch(path):
            return statuses
    return None


@cache
def _operations() -> list[tuple[re.Pattern[str], str, set[int]]]:
    """A pattern, the method and the statuses of each operation, paths without parameters first."""
    document = create_app(Settings(), ColourEngine).openapi()
    found = sorted(operations(document), key=lambda each: "{" in each[0])
    return [
        (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), method, set(map(int, operation["responses"])))
        for path, method, operation in found
    ]
