"""Class names as they are given on the command line."""

from pathlib import Path

from cli import CommandError
from cli.exit_codes import ExitCode

HELP = "The classes, separated by commas; or @FILE, with one in each line."


def parse_class_names(value: str) -> list[str]:
    """The names in `a,b,c`, or in the lines of the file in `@file`; blank ones are left out.

    Raises:
        CommandError: the file cannot be read, or there are fewer than two names.
    """
    names = _lines_of(Path(value[1:])) if value.startswith("@") else value.split(",")
    found = [name.strip() for name in names if name.strip()]
    if len(found) < 2:
        message = f"--classes {value}: give at least two, such as bird,boat; or @FILE, with one in each line."
        raise CommandError(message, ExitCode.WRONG_USE)
    return found


def _lines_of(path: Path) -> list[str]:
    from pouf_client.files import expanded

    try:
        return expanded(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise CommandError(f"--classes @{path}: {error.strerror}.", ExitCode.WRONG_USE) from error
    except UnicodeError as error:
        raise CommandError(f"--classes @{path}: the file is not UTF-8.", ExitCode.WRONG_USE) from error
