"""A frozen network, run by the engine that was offered to it or by PyTorch."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from pouf_core.contract.engine import EngineUsed
from pouf_core.engines import openvino_engine
from pouf_core.engines.cache import ConvertedModels
from pouf_core.engines.checked import LEAST_COSINE, CheckedEngine, least_cosine, torch_used
from pouf_core.engines.interface import Engine, EngineOffer
from pouf_core.system.memory import give_back_memory
from pouf_core.system.runtime import autocast_to
from pouf_core.system.user_cache import user_cache

logger = logging.getLogger(__name__)

_STREAMS = 2  # of networks whose inputs are of one size; a few short texts are too little to divide
_MOST_TWICE = 128 * 2**20  # bytes of weights of networks that are compiled a second time, for single items
_CONVERSION = 1  # another number where the same network is converted in another way


class FrozenNetwork:
    """A network of one tensor that gives one, without gradients by an engine. Thread-safe.

    An engine takes the weights as they are when it is made: see `release_if_trained`.

    Args:
        network: [B, …] to [B, d], in evaluation mode.
        example: gives inputs like the smallest there are, at least two rows.
        shape: of inputs; -1 for what may vary.
        key: gives what equal networks share, the hash of their weights for one.
        label: for the log.
    """

    def __init__(
        self,
        network: nn.Module,
        example: Callable[[], Tensor],
        shape: tuple[int, ...],
        key: Callable[[], str],
        label: str,
    ) -> None:
        self._network = network
        self._example = example
        self._shape = shape
        self._key = key
        self._label = label
        self._guard = threading.Lock()
        self._offer: EngineOffer | None = None
        self._encoded = 0
        self._tried: set[torch.dtype] = set()
        self._engines: dict[torch.dtype, CheckedEngine] = {}

    @property
    def accepted_offer(self) -> EngineOffer | None:
        """What was offered last."""
        return self._offer

    def offer(self, offer: EngineOffer | None) -> None:
        """Let an engine be used; None: PyTorch alone."""
        with self._guard:
            self._offer = offer
            if offer is None:
                self._engines = {}
            self._tried = set(self._engines)

    def release_if_trained(self) -> None:
        """Run by PyTorch from now on, if any of its parameters is to be trained."""
        if any(parameter.requires_grad for parameter in self._network.parameters()):
            self.offer(None)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights that engines hold beside the network's own."""
        return len(self._engines) * self.copies * bytes_of(self._network)

    @property
    def copies(self) -> int:
        """How often an engine that is made holds the weights: twice where single items have a network of their own."""
        if self._offer is None:
            return 0
        return 1 + self._has_twin(self._offer)

    def _has_twin(self, offer: EngineOffer) -> bool:
        return offer.singly and self._is_of_one_size and bytes_of(self._network) <= _MOST_TWICE

    @property
    def _is_of_one_size(self) -> bool:
        return -1 not in self._shape[1:]

    def used(self, precision: torch.dtype) -> EngineUsed:
        """What runs it in this precision."""
        engine = self._engines.get(precision)
        return torch_used(precision) if engine is None else engine.used

    def expected(self, precision: torch.dtype) -> str:
        """Name and version of what runs it in this precision, or will as soon as it is asked to."""
        if self._offer is None or precision in self._tried:
            used = self.used(precision)
            return f"{used.name} {used.version}"
        return openvino_engine.name_and_version()

    def __call__(self, inputs: Tensor, precision: torch.dtype) -> Tensor:
        """Features [B, d] of B inputs on the network's device, computed in a precision."""
        engine = None if torch.is_grad_enabled() else self._engine(len(inputs), precision)
        return self._in_torch(inputs, precision) if engine is None else engine(inputs)

    def _in_torch(self, inputs: Tensor, precision: torch.dtype) -> Tensor:
        with autocast_to(precision, inputs.device):
            features: Tensor = self._network(inputs)
        return features

    def _engine(self, count: int, precision: torch.dtype) -> CheckedEngine | None:
        offer = self._offer
        if offer is None or precision in self._tried:
            return self._engines.get(precision)
        with self._guard:
            self._encoded += count
            if self._encoded < offer.after or precision in self._tried:
                return self._engines.get(precision)
            self._tried.add(precision)
        if offer.in_background:
            threading.Thread(target=self._prepare, args=(offer, precision), name="engine").start()
        else:
            self._prepare(offer, precision)
        return self._engines.get(precision)

    def _prepare(self, offer: EngineOffer, precision: torch.dtype) -> None:
        parameter = next(self._network.parameters())
        if parameter.device.type != "cpu" or parameter.dtype != torch.float32:
            return
        try:
            engine = self._made(offer, precision)
        except Exception as error:  # noqa: BLE001 - whatever an engine cannot do, PyTorch can
            logger.warning("No engine for %s, which PyTorch runs: %s: %s", self._label, type(error).__name__, error)
            return
        with self._guard:
            if self._offer == offer:
                self._engines[precision] = engine
        give_back_memory()  # of the conversion, and what PyTorch took for the items so far, which is several times more

    def _made(self, offer: EngineOffer, precision: torch.dtype) -> CheckedEngine:
        threads = torch.get_num_threads()
        with torch.inference_mode(False), torch.no_grad():
            examples = self._example()
            engine = self._compiled(offer, examples, precision, threads)
            if not self._is_of_one_size:
                is_exact = engine.precision == torch.float32
                exact = engine if is_exact else self._compiled(offer, examples, torch.float32, threads)
                self._require_any_shape(exact, examples)
        return CheckedEngine(engine, self._in_torch, precision, self._label)

    def _compiled(self, offer: EngineOffer, examples: Tensor, precision: torch.dtype, threads: int) -> Engine:
        """The engine of the converted network, taken from the disk where it is there."""
        name = f"{self._key()} {self._network!r} {self._shape} {torch.__version__} {openvino_engine.processor()}"
        key = hashlib.sha256(f"{_CONVERSION} {name}".encode()).hexdigest()

        def write(folder: Path) -> None:
            logger.info("%s is converted for OpenVINO.", self._label)
            openvino_engine.convert(self._network, examples, self._shape, folder)

        streams = min(_STREAMS, threads) if self._is_of_one_size else 1
        twin = self._has_twin(offer)
        try:
            models = ConvertedModels(offer.directory or user_cache() / "engines")
        except OSError as error:
            logger.warning("Converted models cannot be kept: %s", error)
            with TemporaryDirectory(prefix="pouf-engine-") as folder:
                write(Path(folder))
                return openvino_engine.OpenVinoEngine(Path(folder), precision, threads, streams, twin)
        kept = models.get(key) or models.put(key, write)
        return openvino_engine.OpenVinoEngine(kept, precision, threads, streams, twin)

    def _require_any_shape(self, engine: Engine, examples: Tensor) -> None:
        """Refuse a conversion that took the example's sizes for constants; by an engine in float32, since examples are
        made up, and such inputs lose more in bfloat16 than real ones.

        Raises:
            RuntimeError: the engine gives something else for an input of other sizes.
        """
        other = examples[:1]
        for dimension, size in enumerate(self._shape[1:], start=1):
            if size == -1:
                other = torch.cat([other, other], dim=dimension)
        cosine = least_cosine(engine(other), self._in_torch(other, torch.float32))
        if not cosine >= LEAST_COSINE[torch.float32]:
            raise RuntimeError(f"the features of an input of another size have cosine {cosine:.6f} with PyTorch's")


def bytes_of(network: nn.Module) -> int:
    """Bytes of a network's parameters and buffers."""
    return sum(tensor.nbytes for tensors in (network.parameters(), network.buffers()) for tensor in tensors)
