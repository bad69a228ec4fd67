"""Training an item encoder on several devices, a process each.

The objective couples all items of a batch, so it cannot be averaged over parts of it. Instead one process, the leader,
computes it over the features that all have encoded, and hands its gradient with respect to them back: gradient caching
(Gao et al., 2021, arXiv 2101.06983) over a process group. The result is that of one process up to rounding. The leader
alone has the optimiser, the checkpoints and the classes; the helpers have the items and a copy of the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pouf_core.adaptation.batch_encoding import MakeBatches, MicroBatches, OnMicroBatch
from pouf_core.adaptation.encoding import feature_source
from pouf_core.adaptation.features import ComputedFeatures, Draw, FeatureSource
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.contract.method import ResolvedMethod
from pouf_core.data.items import fingerprint
from pouf_core.errors import PoufError
from pouf_core.families.interface import PromptedModel, Trainable
from pouf_core.system.memory import is_out_of_memory, release_memory

_CPU = torch.device("cpu")
_LEADER = 0
_LONGEST_WAIT = timedelta(days=30)  # helpers wait while the leader evaluates; who started them ends a vain wait


@dataclass(frozen=True)
class _Begin:
    """What the helpers are to train, and over which items."""

    method: ResolvedMethod
    items: str


@dataclass(frozen=True)
class _Encode:
    """A batch: every process takes its part."""

    draws: Sequence[Draw]
    following: Sequence[Draw]
    micro_batch_size: int


@dataclass(frozen=True)
class _CarryBack:
    """The gradient with respect to the features of the batch encoded last is there."""

    micro_batch_size: int


@contextmanager
def process_group(meeting: Path, rank: int, processes: int, device: torch.device) -> Iterator[None]:
    """Belong to the processes that train together; entered once all have met.

    Args:
        meeting: a file that is not there yet, the same for all.
        rank: this process's number; 0 leads.
        processes: how many there are.
        device: this one's.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(
        backend, init_method=meeting.resolve().as_uri(), rank=rank, world_size=processes, timeout=_LONGEST_WAIT
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def shared_batches(
    inputs: RunInputs, learner: Trainable, source: FeatureSource, method: ResolvedMethod
) -> Iterator[MakeBatches | None]:
    """Makes the encoder of batches that has helpers; None where there are none, or nothing for them to do.

    Args:
        inputs: the data and the classes; its `helpers` are started here.
        learner: what is trained.
        source: where it takes item features from.
        method: the resolved method.
    """
    if inputs.helpers is None or not isinstance(source, ComputedFeatures):
        yield None
        return
    with inputs.helpers():
        _say(_Begin(method, fingerprint(inputs.items)))
        yield lambda on_micro_batch: _Leader(learner, source, on_micro_batch)
        _say(None)


def help_training(model: PromptedModel[Any], inputs: RunInputs) -> None:
    """Encode parts of the leader's batches until it ends; called within `process_group`, by every rank but 0.

    Raises:
        PoufError: the leader has other items.
    """
    begin = _heard()
    if not isinstance(begin, _Begin):
        return
    if begin.items != fingerprint(inputs.items):
        raise PoufError("other_items", "The processes that train together have different items.")
    learner = model.learner(begin.method)
    share = _Share(learner, feature_source(model, learner, inputs, begin.method), lambda: None)
    while (command := _heard()) is not None:
        try:
            share.follow(command)
        except MemoryError:  # as the leader knows
            release_memory()


class _Share:
    """This process's part of every batch."""

    def __init__(self, learner: Trainable, source: FeatureSource, on_micro_batch: OnMicroBatch) -> None:
        self._device = learner.device
        self._own = MicroBatches(source, on_micro_batch)
        self._parameters = [parameter for group in learner.parameter_groups() for parameter in group.parameters]
        with torch.no_grad():
            self._width = learner.classifier().prototypes.shape[1]
        self._draws: Sequence[Draw] = ()

    def follow(self, command: _Encode | _CarryBack) -> None:
        """Do as the leader does."""
        if isinstance(command, _Encode):
            self.encode(command)
            return
        gradient = torch.empty(len(self._draws), self._width, device=self._device)
        try:
            self.carry_back(gradient, command.micro_batch_size)
        finally:
            for parameter in self._parameters:
                parameter.grad = None

    @torch.no_grad()
    def encode(self, batch: _Encode) -> Tensor:
        """Features [B, d] of the whole batch, by the leader's parameters; `MemoryError` where memory ran out in any."""
        self._draws = batch.draws
        self._take_parameters()
        sizes = _sizes(len(batch.draws))
        mine = _mine(batch.draws)
        self._own.expect(mine, _mine(batch.following))
        padded = torch.zeros(max(sizes), self._width, device=self._device)

        def encode() -> None:
            if mine:
                padded[: len(mine)] = self._own.features(mine, batch.micro_batch_size)

        _within_memory(encode)
        gathered = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(gathered, padded)
        return torch.cat([part[:size] for part, size in zip(gathered, sizes, strict=True)])

    def carry_back(self, gradient: Tensor, micro_batch_size: int) -> None:
        """Add up all processes' gradients in the leader's parameters; `MemoryError` as above.

        Args:
            gradient: [B, d] with respect to the features, the leader's.
            micro_batch_size: items encoded at once.
        """
        dist.broadcast(gradient, _LEADER)
        mine = _mine(self._draws)
        before = sum(_sizes(len(self._draws))[: dist.get_rank()])
        rows = gradient[before : before + len(mine)]
        _within_memory(lambda: self._own.backward(mine, rows, micro_batch_size))
        with torch.no_grad():
            total = torch.cat(
                [
                    (torch.zeros_like(parameter) if parameter.grad is None else parameter.grad).reshape(-1)
                    for parameter in self._parameters
                ]
            )
            dist.reduce(total, _LEADER)
            parts = total.split([parameter.numel() for parameter in self._parameters])
            for parameter, part in zip(self._parameters, parts, strict=True):
                if parameter.grad is not None:
                    parameter.grad.copy_(part.view_as(parameter))

    @torch.no_grad()
    def _take_parameters(self) -> None:
        values = parameters_to_vector(self._parameters)
        dist.broadcast(values, _LEADER)
        if dist.get_rank() != _LEADER:
            vector_to_parameters(values, self._parameters)


class _Leader(_Share):
    """A `BatchEncoder` over all processes."""

    def __init__(self, learner: Trainable, source: FeatureSource, on_micro_batch: OnMicroBatch) -> None:
        super().__init__(learner, source, on_micro_batch)
        self._following: Sequence[Draw] = ()

    def expect(self, draws: Sequence[Draw], following: Sequence[Draw]) -> None:
        """Keep what every process is told with its part of the batch."""
        self._following = following

    def features(self, draws: Sequence[Draw], micro_batch_size: int) -> Tensor:
        """Have all encode."""
        batch = _Encode(draws, self._following, micro_batch_size)
        _say(batch)
        return self.encode(batch)

    def backward(self, draws: Sequence[Draw], gradient: Tensor, micro_batch_size: int) -> None:
        """Have all carry it into the encoder."""
        _say(_CarryBack(micro_batch_size))
        self.carry_back(gradient.contiguous(), micro_batch_size)


def _say(command: _Begin | _Encode | _CarryBack | None) -> None:
    dist.broadcast_object_list([command], _LEADER, device=_CPU)


def _heard() -> Any:
    heard: list[Any] = [None]
    dist.broadcast_object_list(heard, _LEADER, device=_CPU)
    return heard[0]


def _sizes(count: int) -> list[int]:
    """How many of a batch each process takes, one after the other."""
    least, more = divmod(count, dist.get_world_size())
    return [least + (rank < more) for rank in range(dist.get_world_size())]


def _mine(draws: Sequence[Draw]) -> Sequence[Draw]:
    sizes, rank = _sizes(len(draws)), dist.get_rank()
    start = sum(sizes[:rank])
    return draws[start : start + sizes[rank]]


def _within_memory(work: Callable[[], None]) -> None:
    """Do one's part; `MemoryError` in every process where memory ran out in one."""
    enough = torch.ones(1)
    try:
        work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        enough.zero_()
    dist.all_reduce(enough, dist.ReduceOp.MIN)
    if not enough.item():
        raise MemoryError("Memory ran out in one of the processes that train together.")
