"""Memory that runs out is answered by smaller micro-batches; a killed run is resumed to the same weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

import pouf_core
from gpu_checks.setting import CLASS_NAMES, CheckFailed, Setting, require
from pouf_core.adaptation.features import ComputedFeatures, Draw, FeatureSource
from pouf_core.adaptation.loop import CheckpointPolicy, TrainingLoop
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.contract.progress import Progress
from pouf_core.data.items import collect_items
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.trained_tensors import NETWORK
from pouf_core.system.memory import release_memory

LOSS_BOUND = 2e-2
MOVED_BOUND = 0.05
"""Largest difference of resumed weights, as a share of how far training moved them; on a CPU they are equal."""
KILLED_AFTER, RESUMED_STEPS = 2, 5


class TightSource:
    """Features on a device that holds only so many items at once: what a CPU has in place of a limit on a GPU."""

    def __init__(self, source: FeatureSource, room: int) -> None:
        self._source, self._room = source, room
        self.expect: Callable[[Sequence[Draw], Sequence[Draw]], None] = source.expect
        self.plain: Callable[[Sequence[int]], Tensor] = source.plain

    def features(self, draws: Sequence[Draw]) -> Tensor:
        """Features of the draws, if they fit."""
        if len(draws) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._source.features(draws)


def memory(setting: Setting) -> dict[str, Any]:
    """Two steps of model tuning, with memory for the whole batch and with less."""
    batch = setting.sizes.batch
    plain, peak = trained(setting, batch, room=None)
    room = batch // 2 if not setting.on_gpu else None
    if setting.on_gpu:
        total = torch.cuda.get_device_properties(setting.device).total_memory
        torch.cuda.set_per_process_memory_fraction(0.7 * peak / total, setting.device)
    try:
        halved, _ = trained(setting, batch, room)
    finally:
        if setting.on_gpu:
            torch.cuda.set_per_process_memory_fraction(1.0, setting.device)
    codes = [warning["code"] for warning in halved["warnings"]]
    require("micro_batch_reduced" in codes, f"memory ran out, and no smaller micro-batch was tried: {codes}")
    pairs = list(zip(plain["losses"], halved["losses"], strict=True))
    require(all(abs(one - other) < LOSS_BOUND for one, other in pairs), f"other losses in micro-batches: {pairs}")
    return {"peak_mib": peak / 2**20, "limited_to": 0.7 if setting.on_gpu else "half the batch", "losses": pairs}


def trained(setting: Setting, batch: int, room: int | None) -> tuple[dict[str, Any], int]:
    """Losses and warnings of two steps, and the most memory that the GPU held at once, in bytes."""
    if setting.on_gpu:
        release_memory()
        torch.cuda.reset_peak_memory_stats(setting.device)
    items, _ = collect_items(setting.pictures[: setting.sizes.trained])
    method = setting.method("model", batch, max_steps=2, batch_size=batch)
    model = setting.model()
    learner = Learner(model, setting.prompts(model), method)
    source: FeatureSource = ComputedFeatures(model, items, model.views("flip", 0), 2, setting.device)
    told: list[Progress] = []
    loop = TrainingLoop(
        learner,
        source if room is None else TightSource(source, room),
        BatchSampler(len(items), batch, method.drop_last, 0),
        method,
        checkpoints=CheckpointPolicy(None, 1e9, ""),
        on_progress=told.append,
        should_stop=lambda: None,
    )
    loop.run()
    warnings = [progress.warning.model_dump() for progress in told if progress.warning]
    peak = torch.cuda.max_memory_reserved(setting.device) if setting.on_gpu else 0
    return {"losses": [row["loss"] for row in loop.metrics], "warnings": warnings}, peak


def resume(setting: Setting) -> dict[str, Any]:
    """A run that is killed and resumed beside one that is not."""
    folder = setting.folder / "resumed"
    shutil.rmtree(folder, ignore_errors=True)
    whole = run_apart(setting, folder / "whole", None)
    require(run_apart(setting, folder / "killed", KILLED_AFTER) < 0, "the run to be killed ended by itself")
    resumed = run_apart(setting, folder / "killed", None)
    require(whole == resumed == 0, f"runs ended with {whole} and {resumed}")
    one, other, start = (
        load_file(path) for path in (weights(folder / "whole"), weights(folder / "killed"), weights(setting.folder))
    )
    names = [name for name in one if NETWORK in name]
    require(bool(names), "nothing of the network was trained")
    moved = max((one[name] - start[name.partition(NETWORK)[2]]).abs().max().item() for name in names)
    apart = max((one[name] - other[name]).abs().max().item() for name in names)
    require(moved > 0, "training moved nothing")
    limit = MOVED_BOUND * moved if setting.on_gpu else 0.0
    require(apart <= limit, f"resumed weights are {apart:.2e} apart, where training moved them by {moved:.2e}")
    return {"moved": moved, "apart": apart, "equal": apart == 0}


def weights(folder: Path) -> Path:
    """The file of an artifact's tensors, or of the model's."""
    found = list(folder.glob("model/*.safetensors"))
    if len(found) != 1:
        raise CheckFailed(f"{folder} has {len(found)} files of weights")
    return found[0]


def run_apart(setting: Setting, folder: Path, killed_after: int | None) -> int:
    """`adapt` in a process of its own; gives how it ended, negative where it was killed."""
    options = [str(setting.device), setting.form, str(setting.folder), str(folder)]
    code = "import sys; from gpu_checks.interruptions import adapt_here; adapt_here(*sys.argv[1:])"
    command = [sys.executable, "-c", code, *options]
    path = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if killed_after is not None and line.strip() == f"checkpoint {killed_after}":
                process.kill()
    return process.returncode


def adapt_here(device: str, form: Any, folder: str, out: str) -> None:
    """What `run_apart` runs: checkpoints after every step, told on stdout."""
    setting = Setting(torch.device(device), form, Path(folder))

    def tell(progress: Progress) -> None:
        if progress.checkpoint_step is not None:
            print(f"checkpoint {progress.checkpoint_step}", flush=True)

    pouf_core.adapt(
        setting.pictures[: setting.sizes.trained],
        list(CLASS_NAMES),
        base_model=setting.model_name,
        method={"tune": "last_n", "max_steps": RESUMED_STEPS, "batch_size": setting.sizes.batch, "selection": "last"},
        device=device,
        threads=1,
        deterministic=True,
        out=Path(out) / "model",
        checkpoint_dir=Path(out) / "checkpoints",
        checkpoint_seconds=0,
        on_progress=tell,
    )
