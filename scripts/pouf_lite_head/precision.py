"""Half precision where the processor computes in it; elsewhere it is emulated, several times slower than float32."""

from __future__ import annotations

import torch

BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")  # the last one is ARM's


def has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in BFLOAT16_INSTRUCTIONS)


def fast_autocast(wanted: bool = True) -> torch.autocast:
    """A context that computes in bfloat16 if that is `wanted` and fast here, and else in float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted and has_bfloat16())
