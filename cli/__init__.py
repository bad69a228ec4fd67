"""The `pouf` command."""

from cli.exit_codes import ExitCode


class CommandError(Exception):
    """The command cannot go on; the message says why and what to do.

    Args:
        message: a line for people.
        exit_code: ends the process.
    """

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
