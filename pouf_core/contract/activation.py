"""The activation that a base model's weights were trained with: a file of weights does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pouf_core.errors import InvalidInput

if TYPE_CHECKING:
    from pouf_core.contract.base_model import BaseModelDescription

Activation = Literal["gelu", "quick_gelu"]
"""Between the layers of open_clip's own towers: x·Φ(x), or x·sigmoid(1.702 x), as OpenAI's CLIP has it."""
ActivationChoice = Literal["auto", "gelu", "quick_gelu"]
"""`auto`: what the pretrained tag, the model directory's configuration or the architecture says."""


def check_activation(asked: ActivationChoice, base: BaseModelDescription) -> None:
    """Refuse an activation that a base model does not have.

    Args:
        asked: by the caller.
        base: the base model, loaded or not.

    Raises:
        InvalidInput: `unused_parameter` where it leaves no choice; `activation_mismatch` where it is known to have
            another one.
    """
    if asked == "auto":
        return
    if base.activation is None:
        message = f"{base.name} leaves no choice of an activation, which `open_clip:` models do: leave it out."
        raise InvalidInput("unused_parameter", message, field="/activation")
    if base.activation not in ("auto", asked):
        raise activation_mismatch(base.name, base.activation)


def activation_mismatch(spec: str, known: ActivationChoice) -> InvalidInput:
    """The refusal of another activation than the one that a base model is known to have."""
    message = f"The weights of {spec!r} were trained with `{known}`: leave activation out."
    return InvalidInput("activation_mismatch", message, field="/activation")
