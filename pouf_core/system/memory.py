"""Memory of host and device: keeping it between steps, recognising that it ran out, and giving it back."""

from __future__ import annotations

import ctypes
import gc
import platform
import re
import sys
import threading
from typing import Protocol
from weakref import WeakSet

import psutil
import torch

_MESSAGES = re.compile(
    "out of memory"  # CUDA, HIP, MPS and XPU, by their allocators or by a call that failed
    "|can't allocate memory|not enough memory|cannot allocate memory"  # PyTorch's DefaultCPUAllocator
    "|could not create a primitive|could not create a memory"  # oneDNN's only words for a failed allocation
    "|failed to allocate"  # OpenVINO
    "|_ALLOC_FAILED|_ALLOCATION_FAILED|StatusAllocFailed"  # cuBLAS, cuDNN, cuFFT, cuSOLVER, hipBLAS, MIOpen
    "|OutOfMemory|ErrorMemoryAllocation|_memory_error",  # HIP, CUDA and rocBLAS by their codes' names
    re.IGNORECASE,
)
_TEXT_MEMORY = 2**30  # bytes that a text tower may keep for a gradient on a CPU
_DEVICE_SHARE = 4  # a GPU lets it have a quarter of what is free
_HOST_SHARE, _MOST_KEPT = 8, 2**32  # decoded pictures may take an eighth of what is free, and 4 GiB
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
    return isinstance(error, RuntimeError) and _MESSAGES.search(str(error)) is not None


def text_memory(device: torch.device) -> int:
    """Bytes that a text tower may keep for a gradient: 1 GiB, or a quarter of what a GPU has free if that is more."""
    if device.type != "cuda":
        return _TEXT_MEMORY
    free, _ = torch.cuda.mem_get_info(device)
    return max(_TEXT_MEMORY, free // _DEVICE_SHARE)


def room_for_pictures() -> int:
    """Bytes of host memory that decoded pictures may take, see `pouf_core.data.kept_pixels`."""
    free = psutil.virtual_memory().available
    if sys.platform == "linux":  # a job's process is limited besides
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
        if limit != resource.RLIM_INFINITY:
            free = min(free, max(limit - psutil.Process().memory_info().data, 0))
    return min(_MOST_KEPT, free // _HOST_SHARE)


class Releasable(Protocol):
    """Something that holds memory it can do without."""

    def release(self) -> None:
        """Give it back, and hold none from now on."""
        ...


_releasable: WeakSet[Releasable] = WeakSet()
_guard = threading.Lock()


def releases(holder: Releasable) -> None:
    """Let `release_memory` empty this as well, as long as it lives."""
    with _guard:
        _releasable.add(holder)


def release_memory() -> None:
    """Give back what a failed step left behind, and what can be done without, so that a smaller one finds room."""
    with _guard:
        holders = list(_releasable)
    for holder in holders:
        holder.release()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
