"""The blocking client out of the one that is written for an event loop: the same methods, run to their end."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")


class Blocking(Generic[C]):
    """A blocking form of `core`, whose methods are coroutines over a `BlockingTransport`."""

    def __init__(self, core: C) -> None:
        self._core = core


def run(work: Awaitable[T]) -> T:
    """What `work` returns; it must never wait for an event loop."""
    step = work.__await__()
    try:
        next(step)
    except StopIteration as stop:
        return cast(T, stop.value)
    raise AssertionError("a blocking transport waits for nothing")


def blocking(method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Any, P], T]:
    """The method of a `Blocking` that does what `method` of its core does."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return run(method(self._core, *args, **kwargs))

    return call


def blocking_iterator(
    method: Callable[Concatenate[Any, P], AsyncIterator[T]],
) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """As `blocking`, for a method whose elements come one after another."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return _elements(method(self._core, *args, **kwargs))

    signature = inspect.signature(method)
    returned = str(signature.return_annotation).removeprefix("Async")
    call.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
    return call


def _elements(source: AsyncIterator[T]) -> Iterator[T]:
    try:
        while True:
            try:
                element = run(source.__anext__())
            except StopAsyncIteration:
                return
            yield element
    finally:
        if inspect.isasyncgen(source):
            run(source.aclose())
