"""Which parameters each `tune` mode trains."""

from __future__ import annotations

from typing import Any

from open_clip.hf_model import HFTextEncoder
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from torch import nn

_NEVER = ("logit_scale", "logit_bias")  # their learning rate is a setting of its own
_DECODER = "text_decoder."  # CoCa's caption decoder takes no part in classification
_PROJECTIONS = (
    "visual.proj",
    "visual.head.",
    "visual.attnpool.",
    "text_projection",
    "text.text_projection",
    "text.proj.",
)


def trained_parameters(network: nn.Module, tune: str, last_n: int = 1) -> dict[str, nn.Parameter]:
    """The parameters of an open_clip network that a tune mode trains, by name.

    Args:
        network: an open_clip model.
        tune: `head` (projections into the shared space), `last_n` (last blocks of both towers and the projections),
            `norm` (affine parameters of normalisation layers) or `model` (both towers and the projections).
        last_n: how many blocks of each tower `last_n` trains.

    Raises:
        ValueError: an unknown mode.
    """
    everything = {
        name: parameter
        for name, parameter in network.named_parameters()
        if name not in _NEVER and not name.startswith(_DECODER)
    }
    if tune == "model":
        return everything
    if tune == "head":
        return _select(everything, {name for name in everything if is_projection(name)})
    if tune == "norm":
        return _select(everything, _norm_names(network))
    if tune == "last_n":
        last = _last_block_names(network, last_n)
        return _select(everything, {name for name in everything if is_projection(name) or name in last})
    raise ValueError(f"No parameters belong to tune mode {tune!r}.")


def is_projection(name: str) -> bool:
    """Whether a parameter belongs to a projection into the shared space."""
    return name.startswith(_PROJECTIONS)


def _select(everything: dict[str, nn.Parameter], names: set[str]) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in everything.items() if name in names}


def _norm_names(network: nn.Module) -> set[str]:
    return {
        f"{module_name}.{name}"
        for module_name, module in network.named_modules()
        if "norm" in type(module).__name__.lower()
        for name, _ in module.named_parameters(recurse=False)
    }


def _last_block_names(network: nn.Module, last_n: int) -> set[str]:
    visual: nn.Module = network.visual  # type: ignore[assignment]
    text: Any = getattr(network, "text", network)
    blocks = [*_blocks(visual)[-last_n:], *_blocks(text if isinstance(text, nn.Module) else network)[-last_n:]]
    trained = {id(parameter) for block in blocks for parameter in block.parameters()}
    return {name for name, parameter in network.named_parameters() if id(parameter) in trained}


def _blocks(tower: nn.Module) -> list[nn.Module]:
    """The tower's blocks in order, from the input to the output."""
    if isinstance(tower, HFTextEncoder):
        return _largest_sequence(tower.transformer)
    if isinstance(tower, TimmModel):
        return _largest_sequence(tower.trunk)
    if isinstance(tower, ModifiedResNet):
        return [tower.layer1, tower.layer2, tower.layer3, tower.layer4]
    return list(tower.transformer.resblocks)  # type: ignore[union-attr, arg-type]


def _largest_sequence(module: nn.Module) -> list[nn.Module]:
    """The outermost list of blocks, which holds most of the parameters."""

    def size(sequence: nn.Module) -> int:
        return sum(parameter.numel() for parameter in sequence.parameters())

    sequences = [item for item in module.modules() if isinstance(item, nn.ModuleList | nn.Sequential) and len(item) > 1]
    return list(max(sequences, key=size))
