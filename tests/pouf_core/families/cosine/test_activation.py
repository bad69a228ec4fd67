"""Weights that were trained with QuickGELU compute with it, and an adapted model remembers which activation it had."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip import factory
from safetensors.torch import save_file
from torch import Tensor

import pouf_core
from pouf_core.artifact import load_artifact, save_artifact
from pouf_core.contract.request import AdaptationRequest
from pouf_core.errors import ArtifactError, InvalidInput
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.open_clip_loading import _with_activation
from pouf_core.families.loading import BaseModelPool, load_base_model
from pouf_core.families.registry import describe
from tests.pouf_core.conftest import CLASS_NAMES, TINY_CLIP

PIXELS = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
QUICK, PLAIN = "quick_gelu", "gelu"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a small CLIP as a file, which does not say what they were trained with."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "clip.safetensors"
    save_file({name: item.contiguous() for name, item in open_clip.CLIP(**TINY_CLIP).state_dict().items()}, path)
    return path


@pytest.fixture
def small_vit(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    """ViT-B-16 is that small CLIP, and fetching any of its pretrained weights gives the file."""
    monkeypatch.setitem(factory._MODEL_CONFIGS, "ViT-B-16", copy.deepcopy(TINY_CLIP))
    monkeypatch.setattr(factory, "download_pretrained", lambda *_, **__: str(weights))


def features(base: Any) -> Tensor:
    with torch.no_grad():
        return base.encode_images(PIXELS)


def expected(weights: Path, activation: str) -> Tensor:
    network = open_clip.CLIP(**TINY_CLIP, quick_gelu=activation == QUICK).eval()
    open_clip.load_checkpoint(network, str(weights))
    with torch.no_grad():
        return network.encode_image(PIXELS, normalize=True)


def test_every_tag_gets_the_activation_that_its_weights_were_trained_with() -> None:
    trained_with_quick_gelu = 0
    for model, tag in open_clip.list_pretrained():
        sources = open_clip.get_pretrained_cfg(model, tag), open_clip.get_model_config(model)
        quick = any(source.get(QUICK) for source in sources)
        found = _with_activation(describe(f"open_clip:{model}/{tag}"), model, tag)
        assert (found.activation, found.activation_assumed) == (QUICK if quick else PLAIN, False), f"{model}/{tag}"
        trained_with_quick_gelu += quick
    assert trained_with_quick_gelu > 50


def test_openai_weights_of_an_architecture_with_plain_gelu_compute_with_quick_gelu(
    small_vit: None, weights: Path
) -> None:
    base = load_base_model("open_clip:ViT-B-16/openai")
    assert base.description.activation == QUICK
    assert torch.allclose(features(base), expected(weights, QUICK), atol=1e-6)
    assert not torch.allclose(features(base), expected(weights, PLAIN), atol=1e-4)
    plain = load_base_model("open_clip:ViT-B-16/laion2b_s34b_b88k")
    assert torch.allclose(features(plain), expected(weights, PLAIN), atol=1e-6)


@pytest.mark.parametrize(("asked", "used"), [("auto", PLAIN), (PLAIN, PLAIN), (QUICK, QUICK)])
def test_a_file_of_weights_takes_the_activation_that_is_asked_for(
    small_vit: None, weights: Path, asked: Any, used: str
) -> None:
    base = load_base_model(f"open_clip:ViT-B-16/{weights}", activation=asked)
    assert torch.allclose(features(base), expected(weights, used), atol=1e-6)
    assert (base.description.activation, base.description.activation_assumed) == (used, asked == "auto")


def test_a_directory_has_the_activation_of_its_configuration_unless_another_is_asked_for(
    tiny_clip_directory: Path, tmp_path: Path
) -> None:
    configuration = json.loads((tiny_clip_directory / "open_clip_config.json").read_text())
    configuration["model_cfg"][QUICK] = True
    (tmp_path / "open_clip_config.json").write_text(json.dumps(configuration))
    name = "open_clip_model.safetensors"
    (tmp_path / name).symlink_to(tiny_clip_directory / name)
    assert load_base_model(f"open_clip:{tmp_path}").description.activation == QUICK
    quick = load_base_model(f"open_clip:{tiny_clip_directory}", activation=QUICK)
    assert torch.equal(features(load_base_model(f"open_clip:{tmp_path}")), features(quick))


def adapt(base_model: Any, pictures: list[Path], out: Path, **options: Any) -> pouf_core.AdaptationResult:
    method = {"tune": "prompt", "max_steps": 2, "selection": "last"}
    return pouf_core.adapt(
        pictures, CLASS_NAMES, base_model=base_model, method=method, out=out, device="cpu", **options
    )


@pytest.mark.parametrize("asked", ["auto", QUICK])
def test_a_job_says_which_activation_was_used_and_its_model_is_served_with_it(
    small_vit: None, weights: Path, picture_paths: list[Path], tmp_path: Path, asked: Any
) -> None:
    used = QUICK if asked == QUICK else PLAIN
    base_model = f"open_clip:ViT-B-16/{weights}"
    result = adapt(base_model, picture_paths, tmp_path / "model", activation=asked)
    assert result.activation_used == used
    assumed = [warning for warning in result.warnings if warning.code == "activation_assumed"]
    assert (len(assumed) == 1 and "`gelu`" in assumed[0].message) if asked == "auto" else not assumed
    manifest = load_artifact(result.path).manifest
    assert (manifest.request.activation, manifest.activation_used) == (asked, used)
    assert f"`{used}`" in (result.path / "README.md").read_text()
    served = pouf_core.load(result.path, device="cpu").embed([picture_paths[0]])
    base = load_base_model(base_model, activation=used)
    assert torch.allclose(served, base.encode_plain([base.decode(picture_paths[0])]), atol=1e-6)


def test_a_model_without_a_record_of_it_is_served_as_it_was_adapted(
    small_vit: None, weights: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    spec = "open_clip:ViT-B-16/openai"
    path = adapt(load_base_model(spec, activation=None), picture_paths, tmp_path / "model").path
    artifact = load_artifact(path)
    assert artifact.manifest.activation_used == PLAIN
    unrecorded = replace(artifact, manifest=artifact.manifest.model_copy(update={"activation_used": None}))
    save_artifact(tmp_path / "unrecorded", unrecorded)
    found = pouf_core.load(tmp_path / "unrecorded", device="cpu").embed([picture_paths[0]])
    base = load_base_model(f"open_clip:ViT-B-16/{weights}", activation=PLAIN)
    assert torch.allclose(found, base.encode_plain([base.decode(picture_paths[0])]), atol=1e-6)


def test_a_model_is_refused_a_base_that_computes_with_another_activation(
    small_vit: None, weights: Path, picture_paths: list[Path], tmp_path: Path
) -> None:
    spec = f"open_clip:ViT-B-16/{weights}"
    path = adapt(spec, picture_paths, tmp_path / "model", activation=QUICK).path
    with pytest.raises(ArtifactError, match="quick_gelu") as caught:
        pouf_core.Predictor(load_artifact(path), load_base_model(spec, activation=PLAIN))
    assert caught.value.code == "base_model_mismatch"


def test_a_pool_shares_models_of_one_activation_and_batches_never_mix_two(small_vit: None, weights: Path) -> None:
    pool, spec = BaseModelPool(), "open_clip:ViT-B-16/openai"
    assert pool.get(spec) is pool.get(spec, QUICK)
    assert pool.loaded() == [spec]
    of_file = f"open_clip:ViT-B-16/{weights}"
    plain: Any = pool.get(of_file, PLAIN)
    quick: Any = pool.get(of_file, QUICK)
    assert plain is not quick
    assert plain.sha256 == quick.sha256
    assert plain.weights_key != quick.weights_key


def test_checkpoints_of_another_activation_are_not_resumed(picture_paths: list[Path]) -> None:
    request = AdaptationRequest(base_model="open_clip:ViT-B-16/openai", class_names=CLASS_NAMES)
    checked = request.check(describe(request.base_model))
    method: Any = type("Method", (), {"model_dump": lambda *_, **__: {}})()
    assert checked.identity("data", "sha", method, QUICK) != checked.identity("data", "sha", method, PLAIN)


def test_an_activation_that_the_tag_contradicts_is_refused(small_vit: None, tiny_clip: ClipLikeModel) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_base_model("open_clip:ViT-B-16/openai", activation=PLAIN)
    assert (caught.value.code, caught.value.field) == ("activation_mismatch", "/activation")
    with pytest.raises(InvalidInput) as of_loaded:
        adapt(tiny_clip, [], Path("unused"), activation=QUICK)
    assert of_loaded.value.code == "activation_mismatch"


@pytest.mark.parametrize("spec", ["pouf-lite", "minilm", "hf-mlm:bert"])
def test_base_models_that_leave_no_choice_refuse_an_activation(spec: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        AdaptationRequest(base_model=spec, class_names=["a", "b"], activation=QUICK).check(describe(spec))
    assert (caught.value.code, caught.value.field) == ("unused_parameter", "/activation")
