"""Device, threads and random state of a process that adapts."""

from __future__ import annotations

import hashlib

import torch

from pouf_core.errors import InvalidInput


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


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that depends on every part, the same in every process."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU random generator seeded from `parts`."""
    return torch.Generator().manual_seed(derived_seed(*parts))
