"""The root of the command line: what ends a command, and how it is told."""

import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from cli.exit_codes import ExitCode
from cli.failures import explain

EMPTY = re.compile(r"(--[\w-]+=)?")


class RootGroup(TyperGroup):
    """Runs a command; whatever goes wrong is a line on stderr and a documented exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end the process."""
        given = sys.argv[1:] if args is None else args
        if any(EMPTY.fullmatch(argument) for argument in given):  # which as a path would be this folder, all of it
            say_error("An argument is empty: is a variable of the shell not set?")
            sys.exit(ExitCode.WRONG_USE)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.TyperException as error:
            if said := " ".join(error.format_message().split()):  # empty where the help has been printed
                say_error(said + ("" if said[-1] in ".?!" else ".") + _hint(error))
            code = ExitCode.WRONG_USE
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, typer.TyperException):  # told above
            raise
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                traceback.print_exception(error)
            failure = explain(error)
            say_error(failure.message)
            raise typer.Exit(failure.exit_code) from error


def _hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f" See `{context.command_path} --help`." if context else ""


def say_error(message: str) -> None:
    """Print to stderr, in red on a terminal unless NO_COLOR is set."""
    from rich.console import Console

    from cli.terminal import literal

    Console(stderr=True).print(literal(message, "red"), soft_wrap=True)
