"""Exports answer as the service does, in processes that cannot import it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pouf_core.contract.exports import ExportOptions
from pouf_core.errors import ArtifactError, InvalidInput
from pouf_core.exports.export import export
from pouf_core.predictor import Prediction, Predictor
from tests.pouf_core.embeddings import clusters
from tests.pouf_core.exports.conftest import LANGUAGE, TEXTS

TOLERANCE = 1e-4


def assert_same(found: Sequence[dict[str, Any]], expected: Sequence[Prediction], predictor: Predictor) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        scores = dict(theirs.top_k)
        assert ours["label"] == theirs.label
        assert ours["score"] == pytest.approx(theirs.score, abs=TOLERANCE)
        assert ours["probabilities"] == pytest.approx([scores[name] for name in predictor.class_names], abs=TOLERANCE)
        assert ours["none_score"] == pytest.approx(theirs.none_score, abs=1e-2)  # steps of 1 % between the levels


@pytest.mark.parametrize("kind", ["prompt", "closed-form"])
def test_arrays_answer_for_features(
    kind: str,
    exported: Callable[..., Path],
    predictor: Callable[[str], Predictor],
    answers_alone: Callable[..., list[dict[str, Any]]],
    picture_paths: list[Path],
) -> None:
    ours = predictor(kind)
    features = ours.embed(picture_paths, "adapted").numpy()
    found = answers_alone(exported(kind, "numpy"), features)
    assert_same(found, ours.predict(picture_paths, 9, "adapted"), ours)


def test_arrays_answer_for_embeddings_of_any_length(
    exported: Callable[..., Path],
    predictor: Callable[[str], Predictor],
    answers_alone: Callable[..., list[dict[str, Any]]],
) -> None:
    ours, features = predictor("embeddings"), clusters(count=80, classes=4).features
    scores = [each.score for each in ours.classify(features, variant="adapted")]
    threshold = (min(scores) + max(scores)) / 2  # some get a class
    found = answers_alone(exported("embeddings", "numpy", threshold=threshold), features)
    expected = ours.classify(features, 9, "adapted", threshold)
    assert None in {each.label for each in expected}
    assert_same(found, expected, ours)


@pytest.mark.parametrize("kind", ["closed-form", "model"])
def test_a_graph_answers_for_pictures(
    kind: str,
    exported: Callable[..., Path],
    predictor: Callable[[str], Predictor],
    answers_alone: Callable[..., list[dict[str, Any]]],
    picture_paths: list[Path],
    tmp_path: Path,
) -> None:
    deep = tmp_path / "16-bit.png"
    Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16).save(deep)
    pictures, ours = [*picture_paths, deep], predictor(kind)
    found = answers_alone(exported(kind, "onnx"), pictures)
    assert_same(found, ours.predict(pictures, 9, "adapted"), ours)


def test_a_graph_answers_for_texts(
    exported: Callable[..., Path],
    predictor: Callable[[str], Predictor],
    answers_alone: Callable[..., list[dict[str, Any]]],
) -> None:
    ours = predictor("texts")
    found = answers_alone(exported("texts", "onnx"), TEXTS)
    assert_same(found, ours.predict(TEXTS, 9, "adapted"), ours)


DIRECTORIES = [
    ("model", "open_clip"),
    ("prompt", "open_clip"),
    ("texts", "huggingface"),
    ("hf-clip", "huggingface"),
    ("hf-siglip", "huggingface"),
    ("hf-align", "huggingface"),
]


@pytest.mark.parametrize(("kind", "wanted"), [*DIRECTORIES, ("hf-clip", "onnx")])
def test_a_directory_of_another_library_answers(
    kind: str,
    wanted: str,
    exported: Callable[..., Path],
    predictor: Callable[[str], Predictor],
    answers_here: Callable[..., list[dict[str, Any]]],
    picture_paths: list[Path],
) -> None:
    ours, items = predictor(kind), TEXTS if kind == "texts" else picture_paths[:6]
    found = answers_here(exported(kind, wanted), items)
    assert_same(found, ours.predict(items, 9, "adapted"), ours)


@pytest.mark.parametrize("kind", LANGUAGE)
@pytest.mark.parametrize("wanted", ["onnx", "huggingface"])
def test_a_language_model_answers_for_texts_inside_its_template(
    kind: str,
    wanted: str,
    exported: Callable[..., Path],
    predictor: Callable[[str], Predictor],
    answers_here: Callable[..., list[dict[str, Any]]],
) -> None:
    ours, items = predictor(kind), LANGUAGE[kind][2]
    found = answers_here(exported(kind, wanted), items)
    assert_same(found, ours.predict(items, 9, "adapted"), ours)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [*DIRECTORIES, ("hf-clip", "onnx"), ("pouf-lite", "onnx"), ("pouf-lite", "open_clip")]
    + [(kind, wanted) for kind in LANGUAGE for wanted in ("onnx", "huggingface")],
)
def test_a_directory_of_another_library_answers_where_this_project_is_not(
    kind: str,
    wanted: str,
    exported: Callable[..., Path],
    predictor: Callable[[str], Predictor],
    answers_alone: Callable[..., list[dict[str, Any]]],
    picture_paths: list[Path],
) -> None:
    language = {name: items for name, (_, _, items) in LANGUAGE.items()}
    ours, items = predictor(kind), ({"texts": TEXTS} | language).get(kind, picture_paths[:6])
    found = answers_alone(exported(kind, wanted), items, torchvision=True)
    assert_same(found, ours.predict(items, 9, "adapted"), ours)


@pytest.mark.parametrize(("kind", "wanted"), [("embeddings", "onnx")])
def test_what_a_family_cannot_be_is_refused_with_what_it_can(
    kind: str, wanted: str, exported: Callable[..., Path]
) -> None:
    with pytest.raises(InvalidInput, match="It can be exported as numpy") as caught:
        exported(kind, wanted)
    assert caught.value.code == "export_not_supported"


def test_nothing_is_overwritten(model: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        export(model("embeddings"), tmp_path, ExportOptions(format="numpy"))
    assert caught.value.code == "artifact_exists"
    assert list(tmp_path.iterdir()) == []


def test_class_names_and_formula_are_read_without_unpickling(exported: Callable[..., Path]) -> None:
    directory = exported("prompt", "numpy")
    arrays = np.load(directory / "classifier.npz", allow_pickle=False)
    assert arrays["class_names"].tolist() == ["circle", "square", "line"]
    np.testing.assert_allclose(arrays["weights"], arrays["logit_scale"] * arrays["class_features"], rtol=1e-6)
    assert "logit of class k = weights[k] · x + bias[k]" in (directory / "README.md").read_text()
