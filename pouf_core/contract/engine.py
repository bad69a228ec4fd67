"""What ran a frozen encoder."""

from __future__ import annotations

from typing import Literal

from pouf_core.contract.document import Document

EngineName = Literal["torch", "openvino"]
EngineChoice = Literal["auto", "torch", "openvino"]
"""`auto`: `openvino` on a CPU wherever there is enough to encode that it pays, else `torch`."""


class EngineUsed(Document):
    """The engine that ran a frozen encoder.

    Attributes:
        name: `torch` or `openvino`.
        version: of its package.
        precision: what it computed in, `float32` or `bfloat16`.
        agreement: least cosine of its features with PyTorch's among the items that were compared; None of PyTorch
            itself, and before anything was compared.
    """

    name: EngineName
    version: str
    precision: str
    agreement: float | None = None
