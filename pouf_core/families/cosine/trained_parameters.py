"""Which parameters each `tune` mode trains: open_clip's architectures, transformers' pairs, sentence encoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from open_clip.hf_model import HFTextEncoder
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from torch import nn

from pouf_core.contract.tune_modes import Tune
from pouf_core.families.cosine.transformers_towers import TransformersImageTower, TransformersTextTower
from pouf_core.families.trained_tensors import names_of, normalisation_names

_NEVER = ("logit_scale", "logit_bias")  # the scale's rate is a setting of its own; a constant bias has no gradient
ADDED = "text.proj.change."  # put behind sentence encoders, for `head` alone
_DECODER = "text_decoder."  # CoCa's caption decoder takes no part in classification
_PATCH_CONVOLUTIONS = 1
_BLOCK_LISTS = ("blocks", "stages", "layers")  # timm's names for a trunk's sequence of blocks


def trained_parameters(network: nn.Module, tune: Tune, last_n: int = 1) -> dict[str, nn.Parameter]:
    """The parameters of a network that a tune mode trains, by name; none where the mode trains no parameters.

    Args:
        network: an open_clip model, a `DualEncoder` or a sentence encoder.
        tune: the mode, see `pouf_core.contract.tune_modes`.
        last_n: how many blocks of each tower `last_n` trains.
    """
    names = _NAMES[tune](network, last_n) if tune in _NAMES else set()
    return {
        name: parameter
        for name, parameter in network.named_parameters()
        if name in names
        and name not in _NEVER
        and not name.startswith(_DECODER)
        and (tune == "head" or not name.startswith(ADDED))
    }


def projection_names(network: nn.Module) -> set[str]:
    """Names of the parameters that project into the shared space, in both towers.

    Where attention pooling is the last thing that a tower does, the pooling is its projection.
    """
    return names_of(network, [*_image_projection(network), *_text_projection(network)])


def text_tower(network: nn.Module) -> nn.Module:
    """The module that holds the text tower: the network itself in open_clip's `CLIP`."""
    text = getattr(network, "text", None)
    return text if isinstance(text, nn.Module) else network


def _image_projection(network: nn.Module) -> list[nn.Parameter]:
    visual: Any = getattr(network, "visual", None)
    if visual is None:  # a sentence encoder's one tower is its text tower
        return []
    if isinstance(visual, ModifiedResNet):
        return list(visual.attnpool.parameters())
    if isinstance(visual, TransformersImageTower):
        return [] if visual.projection is None else list(visual.projection.parameters())
    if not isinstance(visual, TimmModel):
        return [] if visual.proj is None else [visual.proj]
    pooling = getattr(visual.trunk, "attn_pool", None)
    candidates = (visual.head, visual.trunk.get_classifier(), pooling)
    parameters = [list(item.parameters()) for item in candidates if isinstance(item, nn.Module)]
    return next((found for found in parameters if found), [])


def text_projection(tower: Any) -> nn.Module | nn.Parameter | None:
    """What projects a text tower's feature into the shared space: the last thing it does. None where nothing does."""
    if isinstance(tower, TransformersTextTower):
        return tower.projection
    projection: nn.Module | nn.Parameter | None = (
        tower.proj if isinstance(tower, HFTextEncoder) else tower.text_projection
    )
    return projection


def _text_projection(network: nn.Module) -> list[nn.Parameter]:
    projection = text_projection(text_tower(network))
    if isinstance(projection, nn.Module):
        return list(projection.parameters())
    return [] if projection is None else [projection]


def _all_names(network: nn.Module) -> set[str]:
    return {name for name, _ in network.named_parameters()}


def _last_block_names(network: nn.Module, last_n: int) -> set[str]:
    towers = [tower for tower in (getattr(network, "visual", None), text_tower(network)) if tower is not None]
    blocks = [block for tower in towers for block in blocks_of(tower)[-last_n:]]
    return names_of(network, [parameter for block in blocks for parameter in block.parameters()])


def blocks_of(tower: nn.Module) -> list[nn.Module]:
    """A tower's blocks in order, from the input to the output; stages where it has stages of blocks."""
    if isinstance(tower, HFTextEncoder | TransformersTextTower):
        return _largest_sequence(tower.transformer)
    if isinstance(tower, TransformersImageTower):
        return _largest_sequence(tower.trunk)
    if isinstance(tower, TimmModel):
        named = [getattr(tower.trunk, name, None) for name in _BLOCK_LISTS]
        found = [list(item) for item in named if isinstance(item, nn.ModuleList | nn.Sequential)]
        return found[0] if found else _largest_sequence(tower.trunk)
    if isinstance(tower, ModifiedResNet):
        return [tower.layer1, tower.layer2, tower.layer3, tower.layer4]
    return list(tower.transformer.resblocks)  # type: ignore[union-attr, arg-type]


def is_convolutional(tower: nn.Module) -> bool:
    """Whether convolutions do more of a tower's work than to cut a picture into patches."""
    return sum(isinstance(module, nn.Conv2d) for module in tower.modules()) > _PATCH_CONVOLUTIONS


def _largest_sequence(module: Any) -> list[nn.Module]:
    """The outermost list of blocks, which holds most of the parameters."""

    def size(sequence: nn.Module) -> int:
        return sum(parameter.numel() for parameter in sequence.parameters())

    sequences = [item for item in module.modules() if isinstance(item, nn.ModuleList | nn.Sequential) and len(item)]
    return list(max(sequences, key=size))


_NAMES: dict[Tune, Callable[[nn.Module, int], set[str]]] = {
    "head": lambda network, _: projection_names(network),
    "last_n": lambda network, count: projection_names(network) | _last_block_names(network, count),
    "norm": lambda network, _: normalisation_names(network),
    "model": lambda network, _: _all_names(network),
}
"""Network and number of last blocks to the names of the parameters that a mode trains."""
