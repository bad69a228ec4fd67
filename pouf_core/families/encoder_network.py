"""What encoders of every kind are: a pretrained network on a device, of which an engine runs what is frozen."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Self

import torch

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.method import Precision
from pouf_core.engines.frozen import FrozenNetwork, bytes_of
from pouf_core.engines.interface import EngineOffer
from pouf_core.families.trained_tensors import weights_hash
from pouf_core.system.runtime import encoder_precision


class EncoderNetwork(ABC):
    """A pretrained network that encodes items.

    Args:
        description: name, modality and tune modes.
        network: it stays in eval mode, so batch norm keeps its running statistics and dropout is off.
        device: where the network lives.

    Attributes:
        frozen: what an engine may run of it; made by the subclass.
        precision: what the network computes in: bfloat16 (by autocast) on a GPU, else float32.
    """

    frozen: FrozenNetwork

    def __init__(self, description: BaseModelDescription, network: Any, device: torch.device) -> None:
        self.description = description
        self.network = network.to(device).eval().requires_grad_(False)
        self.device = device
        self.precision = encoder_precision(device)

    @cached_property
    def sha256(self) -> str:
        """Hash of the pretrained weights: names, shapes and bytes of every tensor, in order of name."""
        return weights_hash(self.network.state_dict())

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, with those that an engine holds beside them."""
        return bytes_of(self.network) + self.frozen.nbytes

    @property
    def engine_used(self) -> EngineUsed:
        """What runs the part that an engine may run."""
        return self.frozen.used(self.precision)

    def offer_engine(self, offer: EngineOffer | None) -> None:
        """Let an engine run that part while it is frozen; None: PyTorch alone."""
        self.frozen.offer(offer)

    def computing_in(self, precision: Precision | None) -> Self:
        """The same network, computing in a precision; None leaves this model's own."""
        if precision is None or getattr(torch, precision) == self.precision:
            return self
        other = copy.copy(self)
        other.precision = getattr(torch, precision)
        return other

    def copy(self) -> Self:
        """The same model with parameters of its own."""
        return self.with_network(copy.deepcopy(self.network))

    def with_network(self, network: Any) -> Self:
        """The same model around another network of the same architecture."""
        model = self._around(network)
        model.precision = self.precision
        model.offer_engine(self.frozen.accepted_offer)
        return model

    @abstractmethod
    def _around(self, network: Any) -> Self:
        """A model as this one around another network."""
