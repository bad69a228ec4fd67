"""`pouf base-models`: which base models can be adapted, and why the others cannot."""

from collections.abc import Sequence

from rich.console import Console

from cli import CommandError
from cli.exit_codes import ExitCode
from pouf_core.families.cosine.architectures import Adaptability, architecture_names, examine
from pouf_core.families.registry import embedded_base_models

console = Console()


def list_base_models(names: Sequence[str]) -> None:
    """Print a line for each embedded base model and architecture, as soon as it is decided, and the totals.

    Args:
        names: open_clip architectures; none for the embedded base models and every architecture.

    Raises:
        CommandError: a name that open_clip does not have.
    """
    known = architecture_names()
    if unknown := [name for name in names if name not in known]:
        raise CommandError(f"open_clip has no architecture {', '.join(unknown)}.", ExitCode.WRONG_USE)
    wanted = list(names) or known
    if not names:
        for description in embedded_base_models():
            _print_line(description.name, Adaptability(description.tune_modes))
    adaptable = 0
    for name in wanted:
        found = examine(name)
        _print_line(name, found)
        adaptable += not found.reason
    refused = len(wanted) - adaptable
    console.print(f"{adaptable} of {len(wanted)} open_clip architectures are adaptable, {refused} refused.")


def _print_line(name: str, found: Adaptability) -> None:
    verdict = f"refused: {found.reason}" if found.reason else f"adaptable ({', '.join(found.tune_modes)})"
    console.print(f"{name}: {verdict}", highlight=False, soft_wrap=True, markup=False)
