"""The `pouf` command."""


class CommandError(Exception):
    """The command cannot go on; the message says why and what to do. It ends the process with exit status 1."""
