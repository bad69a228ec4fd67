"""Which engine runs the frozen encoder of an adaptation: chosen once, and kept by whoever resumes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pouf_core.adaptation.checkpoint import has_checkpoints
from pouf_core.adaptation.options import RunOptions
from pouf_core.contract.base_model import Modality
from pouf_core.contract.engine import EngineChoice, EngineName
from pouf_core.contract.request import CheckedRequest
from pouf_core.engines.interface import EngineOffer

_FILE = "engine"
#: Items from which an engine saves a job more than its start takes, measured on two cores. The conversion before, made
#: once a machine, is not charged to a job over pictures; to one over short texts, which gain a tenth, it is.
_LEAST_ITEMS: Mapping[Modality, int] = {"image": 50, "text": 1500}


def offered_engine(options: RunOptions, request: CheckedRequest, item_count: int) -> EngineOffer | None:
    """What is offered to the base model; None for PyTorch alone.

    The choice is written beside the checkpoints, and read from there by a run that goes on from them.

    Raises:
        OSError: it cannot be written.
    """
    directory = options.checkpoint_dir
    name = None if directory is None else _recorded(directory)
    if name is None:
        name = engine_for(options.engine, request.method.preset, request.base.modality, item_count)
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / _FILE).write_text(name)
    return None if name == "torch" else EngineOffer(options.engine_dir)


def engine_for(choice: EngineChoice, preset: str, modality: Modality, item_count: int) -> EngineName:
    """As asked for; `auto` depends on the data alone, so that the same job gives the same weights."""
    if preset == "paper":
        return "torch"
    if choice != "auto":
        return choice
    least = _LEAST_ITEMS.get(modality)
    return "openvino" if least is not None and item_count >= least else "torch"


def _recorded(directory: Path) -> EngineName | None:
    try:
        text = (directory / _FILE).read_text()
    except FileNotFoundError:
        # Checkpoints without a record are those of a version that had no other engine.
        return "torch" if has_checkpoints(directory) else None
    return next((name for name in get_args(EngineName) if name == text), None)
