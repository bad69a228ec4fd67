"""A file that a command writes: whole or not at all, and never over what the command reads."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from cli import CommandError
from cli.exit_codes import ExitCode


def refuse_source(out: Path | None, sources: Iterable[str | Path]) -> None:
    """Refuse to write to what is read.

    Args:
        out: the file to write, if any.
        sources: paths; of `pouf predict` also texts.

    Raises:
        CommandError: the file is one of the sources, whatever it is called there, or lies in a folder of them.
    """
    if out is None:
        return
    for source in sources:
        if _same(out, source):
            message = f"{out} is what is read; give another file with -o, or it would be lost."
            raise CommandError(message, ExitCode.WRONG_USE)
        if _lies_in(out, source):
            message = f"{out} is there already, in the folder that is read; give a file outside {source} with -o."
            raise CommandError(message, ExitCode.WRONG_USE)


def _same(out: Path, source: str | Path) -> bool:
    try:
        return out.samefile(source)
    except (OSError, ValueError):  # one of them is not there, or is a text and no path
        return False


def _lies_in(out: Path, folder: str | Path) -> bool:
    try:
        return out.is_file() and Path(folder).is_dir() and out.resolve().is_relative_to(Path(folder).resolve())
    except (OSError, ValueError):
        return False


def refuse_unwritable(out: Path) -> None:
    """Find out, before there is work to lose, whether a file can be made where `out` shall be.

    Raises:
        CommandError: it cannot.
    """
    if out.is_dir():
        raise CommandError(f"{out} cannot be written: it is a folder; give a file.", ExitCode.WRONG_USE)
    try:
        with TemporaryFile(dir=out.resolve().parent):
            return
    except OSError as error:
        message = f"{out} cannot be written ({error.strerror}): give a file in a folder that you may write to."
        raise CommandError(message, ExitCode.WRONG_USE) from error


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place when the block ends; an error leaves `path` as it was."""
    target = path.resolve()  # a link stays a link
    part = target.with_name(f".pouf-{os.getpid()}.part")
    try:
        yield part
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
