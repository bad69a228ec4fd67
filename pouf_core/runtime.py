"""Device, threads and random state of a process that adapts."""

from __future__ import annotations

import ctypes
import hashlib
import platform

import torch

from pouf_core.errors import InvalidInput

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of mallopt(3)
_NEVER_TRIM = 2**31 - 1


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU.

    Raises:
        InvalidInput: `unknown_device`, `device_unavailable`.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidInput("unknown_device", f"Unknown device {name!r}: use auto, cpu, cuda or cuda:N.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InvalidInput("device_unavailable", "CUDA was asked for and no CUDA device is visible to this process.")
    return device


def use_threads(count: int | None) -> int:
    """Set the number of CPU threads; results are bitwise equal only at the same number.

    Returns:
        The number in force.
    """
    if count is not None:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def keep_freed_memory() -> None:
    """Let glibc reuse the memory of freed tensors instead of giving it back to the kernel at once.

    By default every large tensor is mapped, zeroed page by page and unmapped again; on a CPU that was a third to
    two thirds of a training step's time. For processes that train or encode on their own: the whole process is
    affected. Does nothing where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM)


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that depends on every part, the same in every process."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU random generator seeded from `parts`."""
    return torch.Generator().manual_seed(derived_seed(*parts))
