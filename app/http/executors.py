"""Threads for kinds of work that must not wait for each other; `run_in_threadpool` is for what asks the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_AUTHENTICATION = ThreadPoolExecutor(4, thread_name_prefix="authentication")
_VALIDATION = ThreadPoolExecutor(2, thread_name_prefix="validation")
_FOLLOWING = ThreadPoolExecutor(2, thread_name_prefix="following")


async def authenticating(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run what finds out who asks."""
    return await asyncio.get_running_loop().run_in_executor(_AUTHENTICATION, partial(function, *args, **kwargs))


async def validating(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run what takes time in proportion to what a client sent."""
    return await asyncio.get_running_loop().run_in_executor(_VALIDATION, partial(function, *args, **kwargs))


async def following(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run what looks for news again and again, for hundreds of clients who wait for some: these wait for each other."""
    return await asyncio.get_running_loop().run_in_executor(_FOLLOWING, partial(function, *args, **kwargs))
