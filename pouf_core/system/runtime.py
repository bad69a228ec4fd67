"""Device, threads and random state of a process that adapts."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from pouf_core.errors import InvalidInput

CPU_BATCH, _GPU_BATCH = 32, 256
_THREADS_A_WORKER = 4  # on a CPU: decoding a picture takes a fraction of encoding it
_MOST_WORKERS = 16  # beyond them, threads of one Python process wait for each other
_CUBLAS_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic


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


def encoder_precision(device: torch.device) -> torch.dtype:
    """What encoders compute in: bfloat16 on a GPU that has it (one that emulates it is slower for it), else float32."""
    has_it = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_it else torch.float32


def encode_batch(device: torch.device) -> int:
    """Items that a frozen encoder is given at once to begin with; running out of memory makes them fewer."""
    return _GPU_BATCH if device.type == "cuda" else CPU_BATCH


def view_workers(device: torch.device) -> int:
    """Threads that make views of items beside an encoder: most cores where a GPU encodes, a few where they do."""
    if device.type == "cpu":
        return max(1, torch.get_num_threads() // _THREADS_A_WORKER)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_WORKERS, max(1, cores - 1))


def computes_on(device: torch.device) -> str:
    """What the last digits of a network's outputs depend on beside network and precision: equal where these are."""
    if device.type == "cuda":
        return f"{torch.__version__} {torch.cuda.get_device_name(device)}"
    return f"{torch.__version__} {device.type} {_cpu_name()} {torch.get_num_threads()}"


@cache
def _cpu_name() -> str:
    """The processor's model, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def autocast_to(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """A context in which networks compute in a precision; in float32 they compute as they are."""
    reduced = precision != torch.float32
    return torch.autocast(device.type, dtype=precision if reduced else None, enabled=reduced)


def use_threads(count: int | None) -> int:
    """Set the number of CPU threads; results are bitwise equal only at the same number.

    Returns:
        The number in force.
    """
    if count is not None:
        torch.set_num_threads(count)
    return torch.get_num_threads()


@contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """Let PyTorch use deterministic algorithms only, and leave its settings as they were.

    On a GPU some are slower, and an operation that has none raises RuntimeError. cuBLAS reads its part of the setting
    when it is first used in a process, so a process that is to be deterministic should be so from the start.

    Args:
        wanted: False changes nothing.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault(*_CUBLAS_WORKSPACE)
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    fills, benchmarks = memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # nothing here reads memory before writing it
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = fills
        torch.backends.cudnn.benchmark = benchmarks


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that depends on every part, the same in every process."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU random generator seeded from `parts`."""
    return torch.Generator().manual_seed(derived_seed(*parts))
