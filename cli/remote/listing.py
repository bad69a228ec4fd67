"""What `ls` commands share: how many, and how they are shown."""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, Protocol

import typer

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.remote.output import note, print_list, print_table

Limit = Annotated[int, typer.Option(help="How many, the newest first; 0 for all.", min=0)]
Name = Annotated[str | None, typer.Option(help="Only those of this name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Resource(Protocol):
    """Something that the service keeps."""

    @property
    def raw(self) -> dict[str, Any]:
        """As the API sent it."""


def show_list(
    found: Iterator[Resource],
    limit: int,
    columns: Sequence[str],
    cells: Callable[[dict[str, Any]], Sequence[object]],
    *,
    as_json: bool,
) -> None:
    """Print the first of a list, and say where there are more."""
    documents = [each.raw for each in islice(found, limit + 1 if limit else None)]
    more = bool(limit) and len(documents) > limit
    documents = documents[:limit] if more else documents
    if as_json:
        print_list(documents, more=more)
        return
    if documents:
        print_table(columns, map(cells, documents))
    else:
        note("There is none.")
    if more:
        note(f"These are the newest {limit}; --limit shows more, --limit 0 all.")


def remove(ids: Sequence[str], what: str, delete: Callable[[str], None], *, sure: bool) -> None:
    """Delete resources, after asking a person.

    Raises:
        CommandError: nobody is there to be asked, or the answer is no.
    """
    if not sure:
        _ask(f"Delete {what} {', '.join(ids)} for good?")
    for each in ids:
        delete(each)
        note(f"Deleted {each}")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError("Nothing is deleted without a question: give --yes.", ExitCode.WRONG_USE)
    if not typer.confirm(question, err=True):
        raise CommandError("Nothing was deleted.")
