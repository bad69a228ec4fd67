"""What processes that read untrusted files have in common: few resources, and nothing of the service's secrets."""

from __future__ import annotations

import errno
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TypeGuard

#: On a busy machine a file takes longer on the clock than it computes.
CLOCK_SECONDS_PER_CPU_SECOND = 10.0
#: The exit status of such a process that says that no file is the cause.
UNAVAILABLE = os.EX_TEMPFAIL

#: Lets pyarrow take no more address space than it uses.
FEW_BYTES_AHEAD = {"ARROW_DEFAULT_MEMORY_POOL": "system"}

_OPEN_FILES = 32
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_STATM = Path("/proc/self/statm")
# the process gets these variables alone: no settings, and no secrets that may be in the others
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "PYTHONPATH", "TMPDIR")
_ROOT = Path(__file__).parents[2]  # what `pouf_core` is imported from
_OF_THE_SYSTEM = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT, errno.EACCES, errno.EMFILE, errno.ENFILE),
}


class ReaderUnavailable(RuntimeError):
    """No file can be read, and none is the cause: the process cannot be started, or lacks what it works with."""


def is_of_the_system(error: Exception) -> TypeGuard[OSError]:
    """Whether an error is one of the machine that reads, which no file causes."""
    return isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM


def environment() -> dict[str, str]:
    """The variables that such a process is started with."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join([str(_ROOT), *filter(None, [passed_on.get("PYTHONPATH")])])
    return passed_on | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def describe_end(status: int) -> str:
    """How such a process ended, by its exit status."""
    return f"it was ended by signal {-status}" if status < 0 else f"it exited with status {status}"


def end(process: subprocess.Popen[bytes]) -> int:
    """Kill such a process and those below it, close its pipes and return its exit status."""
    from pouf_core.data.process_watch import kill_with_those_below  # of the other side alone

    kill_with_those_below(process.pid)
    status = process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()
    return status


def limit_resources(memory_bytes: int, file_bytes: int = 0) -> None:
    """Allow this process `memory_bytes` beyond what it has now (on Linux), and to write files of `file_bytes`."""
    for kind, limit in (
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(kind, (limit, limit))
    if sys.platform != "linux":
        return  # elsewhere address space is not limited, or not counted alike
    limit = _address_space() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _OOM_SCORE.write_text("1000")  # if memory runs out all the same, this process is the one to end


def limit_with_children(memory_bytes: int, file_bytes: int) -> None:
    """Limit this process as `limit_resources` does; those that it starts inherit the limits, and set stricter ones."""
    limit_file_size(file_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        _limit(resource.RLIMIT_AS, _address_space() + memory_bytes)
        _OOM_SCORE.write_text("1000")


def limit_file_size(count: int) -> None:
    """Let this process write files of so many bytes."""
    _limit(resource.RLIMIT_FSIZE, count)


def limit_cpu(seconds: float) -> None:
    """Let the system end this process once it has computed for `seconds` more."""
    _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _limit(kind: int, soft: int) -> None:
    """Set a limit that may be set again."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _address_space() -> int:
    """Bytes that this process has mapped."""
    return int(_STATM.read_text().split()[0]) * resource.getpagesize()
