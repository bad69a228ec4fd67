"""Which parameters of a language model each `tune` mode trains."""

from __future__ import annotations

from torch import nn

TUNE_MODES = ("prompt", "norm", "model")


def trained_parameters(network: nn.Module, tune: str) -> dict[str, nn.Parameter]:
    """The parameters of a network that a tune mode trains, by name; a tied one appears once.

    Args:
        network: a Hugging Face model with a language-model head.
        tune: `model` (all weights and the head), `norm` (scales and shifts of normalisation layers, the head's too) or
            `prompt` (none: the context vectors are no part of the network).

    Raises:
        ValueError: an unknown mode.
    """
    everything = dict(network.named_parameters())
    if tune == "model":
        return everything
    if tune == "prompt":
        return {}
    if tune == "norm":
        norms = [module for module in network.modules() if _is_normalisation(module)]
        wanted = {id(parameter) for norm in norms for parameter in norm.parameters(recurse=False)}
        return {name: parameter for name, parameter in everything.items() if id(parameter) in wanted}
    raise ValueError(f"No parameters belong to tune mode {tune!r}.")


def _is_normalisation(module: nn.Module) -> bool:
    """PyTorch's normalisation layers, and transformers' own (`DebertaLayerNorm`, `LlamaRMSNorm`)."""
    return "norm" in type(module).__name__.lower()
