"""Processes that train an item encoder together: the result is one process's, and none outlives the others."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pouf_core
from pouf_core.contract.request import AdaptationRequest
from pouf_core.data.items import collect_items
from tests.pouf_core.conftest import draw_shape, save_tiny_clip
from tests.waiting import WAIT_SECONDS
from worker.training import helpers
from worker.training.child import target_data
from worker.training.messages import JobSpec

CLASS_NAMES = ["circle", "square", "triangle"]
CPU = torch.device("cpu")
BOUND = 1e-5


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    """A job that trains a tiny CLIP over seven pictures, five at a step."""
    pictures = []
    for index in range(7):
        pictures.append(tmp_path / f"{index}.png")
        draw_shape(CLASS_NAMES[index % 3], index).save(pictures[-1])
    base = save_tiny_clip(tmp_path / "base")
    # by SGD: AdamW divides the rounding of gradients that should be zero by itself
    method = {"tune": "model", "max_steps": 3, "batch_size": 5, "preset": "paper", "learning_rate": 0.02}
    return JobSpec.model_validate(
        {
            "job_id": "job_1",
            "fence": 1,
            "request": AdaptationRequest.model_validate(
                {"class_names": CLASS_NAMES, "base_model": f"open_clip:{base}", "method": method}
            ),
            "pictures": {item.sha256: item.source for item in collect_items(pictures)[0]},
            "device": "cpu",
            "threads": 1,
            "checkpoint_dir": tmp_path / "checkpoints",
            "checkpoint_seconds": 60,
            "artifact_dir": tmp_path / "artifact",
            "evaluation_labels": {},
        }
    )


def trained(spec: JobSpec, out: Path, **options: object) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The tensors of the artifact, and the codes of the warnings."""
    wanted = pouf_core.RunOptions(out=out, device="cpu", threads=1, micro_batch_size=2, **options)  # type: ignore[arg-type]
    result = pouf_core.run(spec.request, target_data(spec), wanted)
    tensors = {name: tensor for file in sorted(out.glob("*.safetensors")) for name, tensor in load_file(file).items()}
    return tensors, [warning.code for warning in result.warnings]


def test_two_processes_one_of_them_short_of_memory_train_what_one_does(
    spec: JobSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, _ = trained(spec, tmp_path / "alone")
    monkeypatch.setattr(helpers, "HELPER", "tests.worker.training.short_of_memory")
    together, warnings = trained(spec, tmp_path / "together", helpers=partial(helpers.helpers, spec, 2, CPU))
    assert "micro_batch_reduced" in warnings
    assert together.keys() == alone.keys()
    assert (alone["prototypes.adapted"] - alone["prototypes.zero_shot"]).abs().max() > 10 * BOUND
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, atol=BOUND, rtol=0)


@pytest.mark.slow
def test_a_process_ends_when_one_that_trains_for_it_is_lost(spec: JobSpec, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    script = f"""
import sys, torch, pathlib, signal, psutil
from worker.training.helpers import helpers
from worker.training.messages import JobSpec
spec = JobSpec.model_validate_json(pathlib.Path({str(tmp_path / "spec.json")!r}).read_bytes())
with helpers(spec, 2, torch.device("cpu")):
    psutil.Process().children()[0].kill()
    torch.distributed.broadcast(torch.ones(1), 1)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=Path.cwd(), timeout=WAIT_SECONDS, check=False)
    assert ended.returncode == helpers.EXIT_HELPER_LOST
