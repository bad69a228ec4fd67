"""Artifacts and predictors: checked when loaded, equal to what training saw, cheap to share."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import pouf_core
from pouf_core.artifact import SUMS, WEIGHTS
from pouf_core.contract.manifest import MANIFEST
from pouf_core.errors import ArtifactError, InvalidInput
from pouf_core.families.loading import BaseModelPool
from tests.pouf_core.conftest import CLASS_NAMES, save_tiny_clip


def adapted(directory: Path, base: Path, paths: list[Path], **method: object) -> Path:
    labels = {hashlib.sha256(path.read_bytes()).hexdigest(): CLASS_NAMES[i % 3] for i, path in enumerate(paths)}
    return pouf_core.adapt(
        paths,
        CLASS_NAMES,
        base_model=f"open_clip:{base}",
        method={"max_steps": 4, "learning_rate": 0.01, "selection": "last", **method},
        out=directory,
        evaluation_labels=labels,
    ).path


@pytest.fixture(scope="module")
def pool() -> BaseModelPool:
    return BaseModelPool()


@pytest.fixture(scope="module")
def prompt_tuned(
    tmp_path_factory: pytest.TempPathFactory, tiny_clip_directory: Path, picture_paths: list[Path]
) -> Path:
    return adapted(tmp_path_factory.mktemp("prompt") / "model", tiny_clip_directory, picture_paths)


@pytest.fixture(scope="module")
def model_tuned(tmp_path_factory: pytest.TempPathFactory, tiny_clip_directory: Path, picture_paths: list[Path]) -> Path:
    return adapted(tmp_path_factory.mktemp("model") / "model", tiny_clip_directory, picture_paths, tune="model")


@pytest.mark.parametrize("kind", ["prompt_tuned", "model_tuned"])
def test_a_loaded_model_predicts_with_the_reported_accuracy(
    request: pytest.FixtureRequest, kind: str, pool: BaseModelPool, picture_paths: list[Path]
) -> None:
    predictor = pouf_core.load(request.getfixturevalue(kind), base_models=pool)
    for variant, reported in (("adapted", "adapted_accuracy"), ("zero_shot", "zero_shot_accuracy")):
        predictions = predictor.predict(picture_paths, variant=variant)
        correct = sum(item.label == CLASS_NAMES[index % 3] for index, item in enumerate(predictions))
        assert correct / 24 == pytest.approx(predictor.manifest["evaluation"][reported])


def test_top_k_is_sorted_and_never_longer_than_the_classes(
    prompt_tuned: Path, pool: BaseModelPool, picture_paths: list[Path]
) -> None:
    (prediction,) = pouf_core.load(prompt_tuned, base_models=pool).predict(picture_paths[:1], top_k=9)
    scores = [score for _, score in prediction.top_k]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert (prediction.label, prediction.score) == prediction.top_k[0]
    assert CLASS_NAMES[prediction.class_index] == prediction.label


def test_prompt_tuned_models_share_the_base_encoder_and_model_tuned_ones_do_not(
    prompt_tuned: Path, model_tuned: Path, pool: BaseModelPool
) -> None:
    light, heavy = (pouf_core.load(path, base_models=pool) for path in (prompt_tuned, model_tuned))
    assert light.encoder("adapted").key == light.encoder("zero_shot").key == heavy.encoder("zero_shot").key
    assert heavy.encoder("adapted").key != heavy.encoder("zero_shot").key
    assert light.nbytes == 2 * (3 * 32 + 1) * 4  # prototypes and scale of each variant
    assert heavy.nbytes > 100_000


def test_loading_a_model_tuned_artifact_leaves_the_shared_base_as_it_was(
    prompt_tuned: Path, model_tuned: Path, pool: BaseModelPool, picture_paths: list[Path]
) -> None:
    light = pouf_core.load(prompt_tuned, base_models=pool)
    before = light.embed(picture_paths, "adapted")
    heavy = pouf_core.load(model_tuned, base_models=pool)
    assert not torch.equal(heavy.embed(picture_paths, "adapted"), before)
    assert torch.equal(light.embed(picture_paths, "adapted"), before)


def test_bad_arguments_are_refused(prompt_tuned: Path, pool: BaseModelPool, picture_paths: list[Path]) -> None:
    predictor = pouf_core.load(prompt_tuned, base_models=pool)
    for call, code in (
        (lambda: predictor.predict(picture_paths, top_k=0), "invalid_top_k"),
        (lambda: predictor.predict(picture_paths, variant="best"), "unknown_variant"),
        (lambda: predictor.predict([b"no picture"]), "undecodable_image"),
    ):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.code == code
    assert predictor.predict([]) == []


@pytest.mark.parametrize("name", [WEIGHTS, MANIFEST, "metrics.json", "README.md"])
def test_a_changed_file_is_found_out(prompt_tuned: Path, tmp_path: Path, name: str) -> None:
    copy = copy_artifact(prompt_tuned, tmp_path)
    data = bytearray((copy / name).read_bytes())
    data[-2] ^= 1
    (copy / name).write_bytes(bytes(data))
    with pytest.raises(ArtifactError) as caught:
        pouf_core.load(copy)
    assert caught.value.code == "artifact_corrupt"


def test_directories_that_are_no_artifacts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        pouf_core.load(tmp_path)
    assert caught.value.code == "artifact_not_found"


def test_an_unknown_format_is_refused(prompt_tuned: Path, tmp_path: Path) -> None:
    copy = copy_artifact(prompt_tuned, tmp_path)
    write_manifest(copy, json.loads((copy / MANIFEST).read_text()) | {"format": 99})
    with pytest.raises(ArtifactError) as caught:
        pouf_core.load(copy)
    assert caught.value.code == "artifact_format_unknown"


@pytest.mark.parametrize("missing", ["base_model", "class_names", "dataset"])
def test_a_manifest_of_an_older_version_without_a_part_is_refused(
    prompt_tuned: Path, tmp_path: Path, missing: str
) -> None:
    copy = copy_artifact(prompt_tuned, tmp_path)
    written = json.loads((copy / MANIFEST).read_text())
    write_manifest(copy, {name: value for name, value in written.items() if name not in ("request", missing)})
    with pytest.raises(ArtifactError) as caught:
        pouf_core.load(copy)
    assert caught.value.code == "artifact_corrupt"


def write_manifest(artifact: Path, manifest: dict[str, object]) -> None:
    (artifact / MANIFEST).write_text(json.dumps(manifest))
    digest = hashlib.sha256((artifact / MANIFEST).read_bytes()).hexdigest()
    lines = [line for line in (artifact / SUMS).read_text().splitlines() if MANIFEST not in line]
    (artifact / SUMS).write_text("\n".join([*lines, f"{digest}  {MANIFEST}"]) + "\n")


def test_other_base_weights_under_the_same_name_are_refused(tmp_path: Path, picture_paths: list[Path]) -> None:
    base = save_tiny_clip(tmp_path / "base")
    artifact = adapted(tmp_path / "model", base, picture_paths[:6])
    file = base / "open_clip_model.safetensors"
    tensors = load_file(file)
    tensors["visual.proj"] = tensors["visual.proj"] + 1
    save_file(tensors, file)
    with pytest.raises(ArtifactError) as caught:
        pouf_core.load(artifact)
    assert caught.value.code == "base_model_mismatch"


def test_an_existing_artifact_is_not_overwritten_which_is_said_before_the_data_is_read(
    prompt_tuned: Path, tiny_clip_directory: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError) as caught:
        pouf_core.adapt(
            [tmp_path / "not there.png"], CLASS_NAMES, base_model=f"open_clip:{tiny_clip_directory}", out=prompt_tuned
        )
    assert caught.value.code == "artifact_exists"


def copy_artifact(source: Path, parent: Path) -> Path:
    copy = parent / "copy"
    copy.mkdir()
    for path in source.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy
