"""What the `pouf` command tells its user instead of a traceback."""


class CommandError(Exception):
    """The command cannot go on; the message says why and what to do. Ends the process with exit status 1."""
