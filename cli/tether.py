"""Run a command that the operating system ends when its parent dies.

Used as a script: ``python tether.py <parent pid> <command> [arguments…]``. The process becomes the command
(same process id), so nothing stands between the supervisor and its child. Linux only; see `tethered`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tethered(command: list[str]) -> list[str]:
    """The command to start instead of `command`, so that it gets SIGTERM when this process dies, where that exists.

    Call it, and start the process, from the main thread: the kernel watches the thread that forks.
    """
    if not sys.platform.startswith("linux"):
        return command
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    """Ask the kernel for SIGTERM on the parent's death, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the request was made.
    if os.getppid() != parent:
        sys.exit("the parent has already gone")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
