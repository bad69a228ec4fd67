"""The options of commands that create a job; `cli.options` has those that `pouf adapt` shares."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from cli import CommandError, class_names
from cli.exit_codes import ExitCode

Classes = Annotated[str, typer.Option("--classes", help=class_names.HELP, show_default=False)]
BaseModel = Annotated[
    str | None, typer.Option(help="What to adapt. Default: pouf-lite for pictures, minilm for texts.")
]
PromptTemplate = Annotated[
    list[str] | None,
    typer.Option(help="With {} where the class name goes. Repeatable: an ensemble. Default: the base model's."),
]
Alias = Annotated[str | None, typer.Option(help="A name that stands for the new model from then on.")]
Method = Annotated[
    list[str] | None,
    typer.Option(
        help="A setting of the method as name=value, such as tune=prompt or max_steps=200. Repeatable: docs/method.md."
    ),
]


def parse_method(settings: Sequence[str]) -> dict[str, object]:
    """The `method` object of a job out of `name=value`, where values are JSON or plain text.

    Raises:
        CommandError: one has another form, or is there twice.
    """
    method: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name or not value or name in method:
            message = f"--method {setting}: give name=value, such as tune=prompt, once for each name."
            raise CommandError(message, ExitCode.WRONG_USE)
        method[name] = _value(value)
    return method


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
