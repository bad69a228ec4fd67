"""Trained tensors: which parameters they are, what they are called in checkpoints and artifacts, and their hash."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pouf_core.errors import ArtifactError

CONTEXT = "context"
LOGIT_SCALE = "logit_scale"
OFFSETS = "prototype_offsets"
NETWORK = "network."
"""Stands before the name of a parameter of the base model's network."""
_NORMALISATIONS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase)


def names_of(network: nn.Module, parameters: Iterable[nn.Parameter]) -> set[str]:
    """The names of some of a network's parameters; a tied one has one name."""
    wanted = {id(parameter) for parameter in parameters}
    return {name for name, parameter in network.named_parameters() if id(parameter) in wanted}


def normalisation_names(network: nn.Module) -> set[str]:
    """The names of the scales and shifts of normalisation layers."""
    norms = [module for module in network.modules() if _is_normalisation(module)]
    return names_of(network, [item for norm in norms for item in norm.parameters(recurse=False)])


def _is_normalisation(module: nn.Module) -> bool:
    """PyTorch's normalisation layers, and those that libraries write themselves (`LlamaRMSNorm`, T5's, timm's)."""
    return isinstance(module, _NORMALISATIONS) or "norm" in type(module).__name__.lower()


def copies_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Detached copies on the CPU."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def network_parameters(tensors: Mapping[str, Tensor], start: str = "") -> dict[str, Tensor]:
    """Those that are parameters of the network, by their names in it, where these begin with `start`."""
    prefix = NETWORK + start
    return {name.removeprefix(NETWORK): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over names, shapes, types and bytes of tensors, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def untie(network: nn.Module, name: str) -> None:
    """Give the module at the end of a parameter's path a copy of its own, where it shares one with another module."""
    path, _, own = name.rpartition(".")
    module = network.get_submodule(path)
    setattr(module, own, nn.Parameter(getattr(module, own).detach().clone(), requires_grad=False))


def tied_names(network: nn.Module) -> set[str]:
    """The further names of parameters that several modules share."""
    every = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    return every - {name for name, _ in network.named_parameters()}


def with_tower(network: nn.Module, name: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network with an item tower of its own; everything else is shared with the original."""
    clone = copy.copy(network)
    clone._modules = dict(network._modules)
    setattr(clone, name, copy.deepcopy(network.get_submodule(name)))
    put_values(clone, tensors)
    return clone


def put_values(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Give parameters of a network other values.

    Args:
        network: is changed in place.
        values: by the parameters' names.

    Raises:
        ArtifactError: as `check_values`.
    """
    parameters = check_values(network, values)
    with torch.no_grad():
        for name, value in values.items():
            parameters[name].copy_(value)


def check_values(network: nn.Module, values: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
    """The parameters of a network by name, where values for some of them are as theirs.

    Raises:
        ArtifactError: `artifact_corrupt`: there is no such parameter, or as `check_value`.
    """
    parameters = dict(network.named_parameters(remove_duplicate=False))
    for name, value in values.items():
        if name not in parameters:
            raise misfit(f"the base model has no parameter `{name}`")
        check_value(name, value, parameters[name].shape)
    return parameters


def check_value(name: str, value: Tensor, shape: Sequence[int]) -> None:
    """Refuse a trained tensor of another shape, or of something else than finite numbers with fractions.

    Raises:
        ArtifactError: `artifact_corrupt`.
    """
    if list(value.shape) != list(shape) or not value.is_floating_point():
        raise misfit(f"`{name}` is {value.dtype} {list(value.shape)}, and the base model takes numbers {list(shape)}")
    if not value.isfinite().all():
        raise misfit(f"`{name}` holds numbers that are not finite")


def misfit(reason: str) -> ArtifactError:
    """An artifact that does not fit its manifest or its base model, though its checksums are right."""
    message = f"The adapted model cannot be used: {reason.rstrip('.')}. Fetch it anew, or restore it from a backup."
    return ArtifactError("artifact_corrupt", message)
