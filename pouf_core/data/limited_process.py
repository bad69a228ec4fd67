"""What processes that read untrusted files have in common: few resources, and nothing of the service's secrets."""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from pathlib import Path

_OPEN_FILES = 32
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_STATM = Path("/proc/self/statm")
# the process gets these variables alone: no settings, and no secrets that may be in the others
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "PYTHONPATH", "TMPDIR")
_ROOT = Path(__file__).parents[2]  # what `pouf_core` is imported from


def environment() -> dict[str, str]:
    """The variables that such a process is started with."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join([str(_ROOT), *filter(None, [passed_on.get("PYTHONPATH")])])
    return passed_on | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def describe_end(status: int) -> str:
    """How such a process ended, by its exit status."""
    return f"it was ended by signal {-status}" if status < 0 else f"it exited with status {status}"


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
    soft = {resource.RLIMIT_FSIZE: file_bytes, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":
        soft[resource.RLIMIT_AS] = _address_space() + memory_bytes
        _OOM_SCORE.write_text("1000")
    for kind, limit in soft.items():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def limit_cpu(seconds: float) -> None:
    """Let the system end this process once it has computed for `seconds` more."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _address_space() -> int:
    """Bytes that this process has mapped."""
    return int(_STATM.read_text().split()[0]) * resource.getpagesize()
