"""The options of commands that create a job; `cli.options` has those that `pouf adapt` shares."""

from typing import Annotated

import typer

from cli import class_names

Classes = Annotated[str, typer.Option("--classes", help=class_names.HELP, show_default=False)]
BaseModel = Annotated[
    str | None, typer.Option(help="What to adapt. Default: pouf-lite for pictures, minilm for texts.")
]
PromptTemplate = Annotated[
    list[str] | None,
    typer.Option(help="With {} where the class name goes. Repeatable: an ensemble. Default: the base model's."),
]
Alias = Annotated[str | None, typer.Option(help="A name that stands for the new model from then on.")]
