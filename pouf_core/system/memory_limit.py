"""A limit on host memory, so that running out of it is an error that training can answer.

Left alone, Linux lets a process allocate more than there is and then kills it. Under a limit the allocation fails,
and the adaptation goes on with smaller micro-batches or ends with a code of its own.
"""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

USED_SHARE = 0.9  # of the free memory; the rest is for other processes
_CGROUP = Path("/sys/fs/cgroup")


def limit_host_memory(wanted: int | None, shared: int = 0) -> None:
    """Let this process's data grow to `wanted` bytes, or to most of what is free now; only Linux counts it so.

    Args:
        wanted: bytes; None for most of what is free.
        shared: bytes of its data that it began with as a copy of another process, which `wanted` does not count.
    """
    if sys.platform != "linux":
        return
    limit = wanted + shared if wanted is not None else data_bytes() + int(USED_SHARE * free_memory())
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    logger.info("Host memory is limited to %d MiB.", limit // 2**20)


def data_bytes() -> int:
    """Bytes of data that this process holds now; 0 where the system does not count them."""
    return int(getattr(psutil.Process().memory_info(), "data", 0))


def all_memory() -> int:
    """Bytes of the machine, or of the container where that has fewer."""
    total, limit = int(psutil.virtual_memory().total), _cgroup_bytes("memory.max")
    return total if limit is None else min(total, limit)


def free_memory() -> int:
    """Bytes that can still be used: of the machine, or of the container where that is less."""
    free = int(psutil.virtual_memory().available)
    limit, used = _cgroup_bytes("memory.max"), _cgroup_bytes("memory.current")
    return free if limit is None or used is None else min(free, max(limit - used, 0))


def _cgroup_bytes(name: str) -> int | None:
    """A number from the container's own control group; None without one or without a limit."""
    file = _CGROUP / name
    text = file.read_text().strip() if file.is_file() else "max"
    return None if text == "max" else int(text)
