"""The activation that a base model's weights were trained with: a file of weights does not say."""

from __future__ import annotations

from typing import Literal

from pouf_core.errors import InvalidInput

Activation = Literal["gelu", "quick_gelu"]
"""Between the layers of open_clip's own towers: x·Φ(x), or x·sigmoid(1.702 x), as OpenAI's CLIP has it."""
ActivationChoice = Literal["auto", "gelu", "quick_gelu"]
"""`auto`: what the pretrained tag, the model directory's configuration or the architecture says."""


def activation_mismatch(spec: str, known: ActivationChoice) -> InvalidInput:
    """The refusal of another activation than the one that a base model is known to have."""
    message = f"The weights of {spec!r} were trained with `{known}`: leave activation out."
    return InvalidInput("activation_mismatch", message, field="/activation")
