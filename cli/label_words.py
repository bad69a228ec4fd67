"""`--label-words` and `--text-limit` as they are given on the command line."""

from collections.abc import Sequence

from cli import CommandError
from cli.exit_codes import ExitCode


def parse_label_words(values: Sequence[str]) -> dict[str, list[str]]:
    """`class=word,word` for each class.

    Raises:
        CommandError: a value has another form, or a class is named twice.
    """
    words: dict[str, list[str]] = {}
    for value in values:
        name, equals, listed = value.partition("=")
        if not equals or name.strip() in words:
            raise CommandError(
                f"--label-words {value}: give class=word, or class=word,word, once for each class.", ExitCode.WRONG_USE
            )
        words[name.strip()] = [word.strip() for word in listed.split(",")]
    return words


def parse_text_limits(values: Sequence[str]) -> dict[str, int]:
    """`text_a=64` for each text.

    Raises:
        CommandError: a value has another form, or a text is named twice.
    """
    limits: dict[str, int] = {}
    for value in values:
        name, _, number = value.partition("=")
        if not number.isdecimal() or name in limits:
            raise CommandError(
                f"--text-limit {value}: give text=64, or text_a=64 and text_b=128, once for each text.",
                ExitCode.WRONG_USE,
            )
        limits[name] = int(number)
    return limits
