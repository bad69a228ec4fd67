"""`--threshold` as it is given on the command line."""

from typing import TYPE_CHECKING

from cli import CommandError
from cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pouf_core.contract.abstention import Threshold


def parse_threshold(value: str | None) -> "Threshold | None":
    """A probability, or `auto`.

    Raises:
        CommandError: it is neither.
    """
    from pouf_core.contract.abstention import check_threshold
    from pouf_core.errors import InvalidInput

    if value is None:
        return None
    if value == "auto":
        return "auto"
    try:
        number = float(value)
        check_threshold(number)
    except ValueError as error:
        message = f"--threshold {value}: give auto, or a probability from 0 to 1."
        raise CommandError(message, ExitCode.WRONG_USE) from error
    except InvalidInput as error:
        raise CommandError(f"--threshold {value}: {error} ({error.code})", ExitCode.WRONG_USE) from error
    return number
