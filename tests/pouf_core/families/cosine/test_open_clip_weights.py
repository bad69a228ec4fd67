"""Files of weights as training leaves them give the tensors that open_clip looks for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import open_clip
import psutil
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pouf_core.families.cosine.open_clip_weights import UnreadableWeights, plain_weights
from tests.pouf_core.conftest import TINY_CLIP


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    torch.manual_seed(2)
    return dict(open_clip.CLIP(**TINY_CLIP).state_dict())


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def checkpoints(tensors: dict[str, Tensor]) -> dict[str, Any]:
    compiled = {name.replace("visual.", "visual._orig_mod."): tensor for name, tensor in tensors.items()}
    return {
        "plain": tensors,
        "in several processes": {"epoch": 3, "state_dict": under("module.", tensors), "optimizer": {"state": {}}},
        "compiled": under("_orig_mod.", tensors),
        "compiled in several processes": {"state_dict": under("module._orig_mod.", tensors)},
        "one tower compiled": {"model": compiled},
        "a module of Lightning": {"state_dict": {**under("model.", tensors), "loss.weight": torch.ones(2)}},
        "a trainer's own": {"step": 7, "model_state_dict": tensors, "optimizer_state_dict": {"state": {}}},
        "averaged beside the last": {"state_dict_ema": under("module.", tensors), "model": tensors},
    }


@pytest.mark.parametrize("name", checkpoints({}))
def test_a_checkpoint_loads_into_its_architecture(tmp_path: Path, tensors: dict[str, Tensor], name: str) -> None:
    path = tmp_path / "epoch_3.pt"
    torch.save(checkpoints(tensors)[name], path)
    network = open_clip.CLIP(**TINY_CLIP)
    with plain_weights(path) as found:
        open_clip.load_checkpoint(network, found)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in network.state_dict().items())
    assert [found == str(path), Path(found).exists()] == [name in ("plain", "in several processes")] * 2


def test_safetensors_with_a_prefix_are_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "model.safetensors"
    save_file(under("_orig_mod.", tensors), path)
    with plain_weights(path) as found:
        assert torch.load(found, weights_only=True).keys() == tensors.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="counts what the process reads, in /proc")
def test_a_file_that_open_clip_reads_is_not_read_before(tmp_path: Path) -> None:
    torch.save({"logit_scale": torch.zeros(1_000_000)}, tmp_path / "weights.pt")
    before = psutil.Process().io_counters().read_chars
    with plain_weights(tmp_path / "weights.pt") as found:
        assert found == str(tmp_path / "weights.pt")
        assert psutil.Process().io_counters().read_chars - before < 1_000_000


def test_weights_in_the_older_form_of_pytorch_are_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "old.pt"
    torch.save(under("model.", tensors), path, _use_new_zipfile_serialization=False)
    with plain_weights(path) as found:
        assert torch.load(found, weights_only=True).keys() == tensors.keys()


def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:5000])
    (tmp_path / "empty.pt").touch()
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "archive.pt"))
    reasons = {"cut.pt": "damaged", "empty.pt": "damaged", "cut.safetensors": "damaged", "archive.pt": "torch.jit.load"}
    for name, reason in reasons.items():
        with pytest.raises(UnreadableWeights, match=reason), plain_weights(tmp_path / name):
            pass
