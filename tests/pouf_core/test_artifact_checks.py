"""Artifacts whose checksums are right, and whose tensors do not fit the manifest or the base model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import pouf_core
from pouf_core.artifact import MANIFEST, METRICS, SUMS, WEIGHTS
from pouf_core.errors import ArtifactError
from pouf_core.families.loading import BaseModelPool
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.embeddings import clusters
from tests.pouf_core.families.language.tiny_models import save_masked

TEXTS = [f"the {a} movie was {b}" for a in ("great", "good", "okay", "bad") for b in ("great", "good", "okay", "bad")]
TRAINED = {"max_steps": 2, "selection": "last", "fallback": "never", "batch_size": 8, "learning_rate": 0.01}
#: What is done to each tensor of an artifact; None takes it away.
CHANGES: dict[str, Callable[[Tensor], Tensor | None]] = {
    "missing": lambda tensor: None,
    "one more row": lambda tensor: torch.cat([tensor.reshape(1, -1), tensor.reshape(1, -1)]),
    "another width": lambda tensor: torch.zeros(*tensor.shape[:-1], 7),
    "whole numbers": lambda tensor: tensor.to(torch.int64),
    "no numbers": lambda tensor: torch.full_like(tensor, float("nan"), dtype=torch.float32),
    "empty": lambda tensor: torch.zeros(0),
}
Change = Callable[[dict[str, Any], dict[str, Tensor]], None]


@pytest.fixture(scope="module")
def pool() -> BaseModelPool:
    return BaseModelPool(torch.device("cpu"))


@pytest.fixture(scope="module")
def artifacts(
    tmp_path_factory: pytest.TempPathFactory, tiny_clip_directory: Path, picture_paths: list[Path]
) -> dict[str, Path]:
    """One of each kind of classifier and of trained tensors."""
    root = tmp_path_factory.mktemp("artifacts")
    data, bert = clusters(), f"hf-mlm:{save_masked('bert', root / 'bert')}"
    names = [f"class {index}" for index in range(8)]
    words = {"negative": ["terrible", "bad"], "positive": "great"}

    def adapted(name: str, method: dict[str, Any]) -> Path:
        base = f"open_clip:{tiny_clip_directory}"
        return pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=base, method=method, out=root / name).path

    def pictures(tune: str) -> Path:
        return adapted(tune, TRAINED | {"tune": tune})

    def texts(tune: str) -> Path:
        given: Any = {"base_model": bert, "label_words": words, "method": TRAINED | {"tune": tune}}
        return pouf_core.adapt(TEXTS, list(words), out=root / f"language {tune}", **given).path

    return {
        "prompts": pictures("prompt"),
        "prototypes": pictures("prototypes"),
        "a trained projection": pictures("head"),
        "a trained encoder": pictures("model"),
        "a class bias": adapted("bias", {"type": "prior-matching"}),
        "a linear classifier": pouf_core.adapt_features(
            data.features, data.class_features, names, method={"tune": "gaussian", "fallback": "never"}, out=root / "g"
        ).path,
        "label words": texts("norm"),
        "context of a language model": texts("prompt"),
    }


KINDS = [
    "prompts",
    "prototypes",
    "a trained projection",
    "a trained encoder",
    "a class bias",
    "a linear classifier",
    "label words",
    "context of a language model",
]


def rewritten(source: Path, target: Path, change: Change) -> Path:
    """The same artifact with other content and checksums to it."""
    manifest, tensors = json.loads((source / MANIFEST).read_text()), load_file(source / WEIGHTS)
    change(manifest, tensors)
    target.mkdir()
    save_file(tensors, target / WEIGHTS)
    (target / MANIFEST).write_text(json.dumps(manifest))
    (target / METRICS).write_bytes((source / METRICS).read_bytes())
    names = (WEIGHTS, MANIFEST, METRICS)
    sums = (f"{hashlib.sha256((target / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (target / SUMS).write_text("".join(sums))
    return target


def used_tensors(artifact: Path, *, is_context_used: bool) -> Iterator[str]:
    """Those that predictions are made with."""
    for name in load_file(artifact / WEIGHTS):
        is_of_network = name.startswith("trained.network.") and name.endswith("norm.weight")
        if not name.startswith("trained.") or is_of_network or (is_context_used and name == "trained.context"):
            yield name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", CHANGES)
def test_no_tensor_may_be_missing_or_another(
    artifacts: dict[str, Path], pool: BaseModelPool, tmp_path: Path, kind: str, how: str
) -> None:
    names = list(load_file(artifacts[kind] / WEIGHTS))
    if how != "missing":
        names = list(used_tensors(artifacts[kind], is_context_used=kind == "context of a language model"))
    for number, name in enumerate(names):

        def change(manifest: dict[str, Any], tensors: dict[str, Tensor], name: str = name) -> None:
            changed = CHANGES[how](tensors.pop(name))
            if changed is not None:
                tensors[name] = changed

        artifact = rewritten(artifacts[kind], tmp_path / str(number), change)
        with pytest.raises(ArtifactError) as raised:
            pouf_core.load(artifact, base_models=pool)
        assert raised.value.code in ("artifact_corrupt", "base_model_mismatch"), (name, raised.value.message)


def older(*, is_trained_there: bool) -> Change:
    """As versions wrote it that did not list the tensors."""

    def change(manifest: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        del manifest["tensors"]
        for name in [name for name in tensors if name.startswith("trained.") and not is_trained_there]:
            del tensors[name]

    return change


@pytest.mark.parametrize("kind", ["prompts", "a trained encoder", "label words"])
def test_nothing_trained_may_be_missing_of_what_an_older_version_wrote(
    artifacts: dict[str, Path], pool: BaseModelPool, tmp_path: Path, kind: str
) -> None:
    pouf_core.load(rewritten(artifacts[kind], tmp_path / "whole", older(is_trained_there=True)), base_models=pool)
    with pytest.raises(ArtifactError, match="nothing of what its manifest says was trained") as raised:
        pouf_core.load(rewritten(artifacts[kind], tmp_path / "bare", older(is_trained_there=False)), base_models=pool)
    assert raised.value.code == "artifact_corrupt"


def classes(*names: str) -> Change:
    """Other classes."""

    def change(manifest: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        manifest["class_names"] = manifest["request"]["class_names"] = list(names)

    return change


def field(name: str, value: Any) -> Change:
    """Another value of a field of the manifest."""
    return lambda manifest, tensors: manifest.update({name: value})


def template(text: str) -> Change:
    """Another template."""
    return lambda manifest, tensors: manifest["request"].update(prompt_template=text)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param("prompts", classes("circle", "square"), id="fewer classes"),
        pytest.param("a linear classifier", classes(*map(str, range(9))), id="more classes"),
        pytest.param("label words", classes("good", "bad"), id="other classes than label words"),
        pytest.param("prompts", classes(), id="no class"),
        pytest.param("prompts", classes("circle", "circle", "line"), id="a class twice"),
        pytest.param("prompts", field("modality", "text"), id="another modality"),
        pytest.param("prompts", field("confidence", {"adapted": float("nan")}), id="confidence of no number"),
        pytest.param("prompts", field("similarity_levels", {"adapted": []}), id="no levels"),
        pytest.param("label words", field("longest", 0), id="items of no length"),
        pytest.param("label words", field("longest", 2), id="items shorter than the template"),
        pytest.param("label words", template("a text without a mask"), id="a template without a mask"),
    ],
)
def test_no_manifest_may_say_something_else_than_the_tensors(
    artifacts: dict[str, Path], pool: BaseModelPool, tmp_path: Path, kind: str, change: Change
) -> None:
    artifact = rewritten(artifacts[kind], tmp_path / "changed", change)
    with pytest.raises(ArtifactError) as raised:
        pouf_core.load(artifact, base_models=pool)
    assert raised.value.code == "artifact_corrupt"


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_adaptation_wrote_can_be_loaded(artifacts: dict[str, Path], pool: BaseModelPool, kind: str) -> None:
    predictor = pouf_core.load(artifacts[kind], base_models=pool)
    width = predictor.variant("adapted").classifier.prototypes.shape[1]
    assert predictor.base_model.width in (width, None)
