"""What `ls` commands share: how many, and how they are shown."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, Protocol

import typer

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
    """Delete resources, after asking a person who is there to be asked."""
    if not sure:
        typer.confirm(f"Delete {what} {', '.join(ids)} for good?", abort=True, err=True)
    for each in ids:
        delete(each)
        note(f"Deleted {each}")
