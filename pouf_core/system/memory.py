"""Host memory: keeping it between steps, recognising that it ran out, and giving it back."""

from __future__ import annotations

import ctypes
import gc
import platform

import torch

_HOST_MESSAGES = (
    "can't allocate memory",
    "not enough memory",
    "Cannot allocate memory",
    "could not create a primitive",  # oneDNN's only word for a failed allocation
    "could not create a memory",
    "Failed to allocate",  # OpenVINO
)
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # parameters of mallopt(3)
_NEVER_TRIM = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc reuse the memory of freed tensors instead of giving it back to the kernel at once.

    By default every large tensor is mapped, zeroed page by page and unmapped again; on a CPU that was a third to
    two thirds of a training step's time. For processes that train or encode on their own: the whole process is
    affected. Does nothing where the C library is not glibc.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM)


def give_back_memory() -> None:
    """Give freed memory to the kernel once, whatever `keep_freed_memory` said; after something large was dropped."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that device or host memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _HOST_MESSAGES)


def release_memory() -> None:
    """Give back what a failed step left behind, so that a smaller one finds room."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
