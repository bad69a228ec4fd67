"""Inputs classified some at a time, so that answers come while the rest is read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from cli.predictions.answers import Said
from cli.predictions.inputs import Given, Input, Unreadable

AT_ONCE = 32

Classify = Callable[[Sequence[Given]], Sequence[Said]]


def classified(inputs: Iterable[Input], classify: Classify) -> Iterator[Said]:
    """What is said of each input, in order.

    Args:
        inputs: read as they are needed.
        classify: says something of each of some inputs.
    """
    rest = iter(inputs)
    while batch := list(islice(rest, AT_ONCE)):
        said = iter(classify(given)) if (given := [each for each in batch if isinstance(each, Given)]) else iter(())
        yield from (each if isinstance(each, Unreadable) else next(said) for each in batch)
