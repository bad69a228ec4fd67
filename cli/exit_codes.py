"""The exit codes of `pouf`; docs/command-line.md lists them, and a test compares the two."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can go by."""

    def __new__(cls, value: int, meaning: str) -> "ExitCode":
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    meaning: str

    OK = 0, "it is done"
    FAILED = 1, "it failed, for a reason that has no code of its own"
    WRONG_USE = 2, "the command, an option, a file or a value cannot be used as it is"
    UNREACHABLE = 3, "no service answers at the address"
    NOT_FOUND = 4, "the service has no such dataset, job, model or key"
    FORBIDDEN = 5, "the API key is missing, not valid, or not allowed to do this"
    JOB_FAILED = 6, "the dataset could not be read, or the job failed or was cancelled"
    PARTLY = 7, "some items could not be read and are named; the rest is done"
    CONFLICT = 8, "not possible as things stand, such as resuming a job that has ended"
    TRY_LATER = 9, "the service is busy or full, or a limit is reached"
    INTERNAL = 70, "a fault of `pouf` itself; the line says where the trace was written"
    INTERRUPTED = 130, "Ctrl-C"
