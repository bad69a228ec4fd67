"""Checkpoints of a running adaptation: atomic, complete, and read without unpickling."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from pouf_core.contract.progress import Metrics
from pouf_core.system.durable_files import whole_file

_KEPT = 2
_PATTERN = "step-*.pt"


@dataclass(frozen=True)
class Checkpoint:
    """Everything that training needs to go on as if it had not been interrupted.

    Order of items and random views are functions of seed and step, so `step` is sampler position and random state
    in one.

    Attributes:
        identity: hash of data, classes, base model, requested method and seed; another adaptation's checkpoint is not
            used.
        step: optimiser steps done.
        tensors: trained tensors by name.
        optimizer, schedule: their state dicts.
        running_marginal: [K] or None.
        method: the resolved method, prior included.
        micro_batch_size, prompts_at_once: as last reduced by a lack of memory.
        metrics: numbers of every step so far.
        warnings: what training has warned of so far.
        candidate: step and tensors of the best candidate so far, or None; see `StepSelection` and `WeightAverage`.
        pseudo_labels: [n, K] or None; see `PseudoLabels`.
    """

    identity: str
    step: int
    tensors: dict[str, Tensor]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    running_marginal: Tensor | None
    method: dict[str, Any]
    micro_batch_size: int
    prompts_at_once: int
    metrics: list[Metrics]
    warnings: list[dict[str, str]]
    candidate: dict[str, Any] | None = None
    pseudo_labels: Tensor | None = None


def write_checkpoint(directory: Path, checkpoint: Checkpoint) -> Path:
    """Write atomically (temporary file, fsync, rename, fsync of the directory) and drop all but the newest two.

    Raises:
        OSError: the disk is full, for one; earlier checkpoints are untouched.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"step-{checkpoint.step:08d}.pt"
    with whole_file(path) as file:
        _save(checkpoint, file)
    for old in sorted(directory.glob(_PATTERN))[:-_KEPT]:
        old.unlink()
    return path


def has_checkpoints(directory: Path) -> bool:
    """Whether any adaptation has left checkpoints here."""
    return any(directory.glob(_PATTERN))


def read_newest_checkpoint(directory: Path, identity: str) -> Checkpoint | None:
    """The newest readable checkpoint of this adaptation, or None.

    A damaged file (torn by a failing disk, say) is passed over for the one before it.
    """
    for path in sorted(directory.glob(_PATTERN), reverse=True):
        try:
            checkpoint = Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError, EOFError, TypeError, ValueError, pickle.UnpicklingError):
            continue
        if checkpoint.identity == identity:
            return checkpoint
    return None


def _save(checkpoint: Checkpoint, file: IO[bytes]) -> None:
    try:
        torch.save(vars(checkpoint), file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # torch hides what went wrong while it wrote
            raise error.__context__ from error
        raise
