"""Label words: the words that stand for each class at the mask. What a caller writes, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pouf_core.contract.classes import MAX_TEXT_LENGTH, ClassName
from pouf_core.contract.problems import Problems
from pouf_core.errors import InvalidInput

MAX_WORDS = 100  # a class
MAX_CHARACTERS_OF_WORDS = 1_000_000  # of all classes together
LabelWords = Mapping[str, str | Sequence[str]]
"""Class name to its label word, or several."""


def parse_label_words(value: LabelWords | None, classes: Sequence[ClassName]) -> list[tuple[str, ...]]:
    """The label words of every class, in the order of the classes.

    Args:
        value: class name to its words; a class without an entry is its own label word.
        classes: K classes.

    Raises:
        InvalidInput: `label_words_too_long`, `unknown_class`, `no_label_word`, `too_many_label_words`,
            `empty_label_word`, `label_word_too_long` or `duplicate_label_word`; `field` points at the class or the
            word.
    """
    given = dict(value or {})
    if sum(len(str(words)) for words in given.values()) > MAX_CHARACTERS_OF_WORDS:
        message = f"Label words have at most {MAX_CHARACTERS_OF_WORDS:,} characters together."
        raise InvalidInput("label_words_too_long", message, field="/label_words")
    problems = Problems()
    for name in sorted(given.keys() - {item.name for item in classes}):
        message = f"Label words are given for {name!r}, no class."
        problems.found.append(InvalidInput("unknown_class", message, field=_pointer(name)))
    words = [problems.attempt(partial(_words_of, item, given.get(item.name))) for item in classes]
    problems.raise_any()
    parsed = [own for own in words if own is not None]
    _check_different(parsed, classes)
    return parsed


def word_pointer(class_name: str, index: int) -> str:
    """JSON pointer of a class's label word."""
    return f"{_pointer(class_name)}/{index}"


def _words_of(item: ClassName, value: str | Sequence[str] | None) -> tuple[str, ...]:
    given = [item.wording] if value is None else [value] if isinstance(value, str) else list(value)
    if not given:
        raise InvalidInput("no_label_word", f"Class {item.name!r} has no label word.", field=_pointer(item.name))
    if len(given) > MAX_WORDS:
        message = f"Class {item.name!r} has {len(given)} label words; at most {MAX_WORDS} are taken."
        raise InvalidInput("too_many_label_words", message, field=_pointer(item.name))
    problems = Problems()
    for index, word in enumerate(given):
        problems.attempt(partial(_check_word, word, item.name, word_pointer(item.name, index)))
    problems.raise_any()
    return tuple(word.strip() for word in given)


def _check_word(word: str, class_name: str, field: str) -> None:
    if not word.strip():
        raise InvalidInput("empty_label_word", f"A label word of class {class_name!r} is empty.", field=field)
    if len(word) > MAX_TEXT_LENGTH:
        message = f"A label word has at most {MAX_TEXT_LENGTH} characters."
        raise InvalidInput("label_word_too_long", message, field=field)


def _check_different(words: Sequence[Sequence[str]], classes: Sequence[ClassName]) -> None:
    owners: dict[str, str] = {}
    problems = Problems()
    for item, own in zip(classes, words, strict=True):
        for index, word in enumerate(own):
            owner = owners.setdefault(word, item.name)
            if owner != item.name or word in own[:index]:
                message = f"Label word {word!r} of class {item.name!r} stands for class {owner!r} already."
                field = word_pointer(item.name, index)
                problems.found.append(InvalidInput("duplicate_label_word", message, field=field))
    problems.raise_any()


def _pointer(class_name: str) -> str:
    return "/label_words/" + class_name.replace("~", "~0").replace("/", "~1")
