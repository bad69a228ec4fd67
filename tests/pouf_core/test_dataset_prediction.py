"""Predictions of a dataset by a loaded model: as its job had them, by shared features, resumed to the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pouf_core
from pouf_core import dataset_prediction
from pouf_core.adaptation.embeddings import collect
from pouf_core.data.items import Item, collect_items
from pouf_core.dataset_prediction import load_for_dataset, predict_dataset
from pouf_core.errors import AdaptationStopped, InvalidInput
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.predictions.stored import RECORDS, StoredPredictions, open_predictions
from tests.pouf_core.conftest import CLASS_NAMES

CPU = torch.device("cpu")
TRAINED = {"max_steps": 2, "learning_rate": 0.05, "selection": "last", "batch_size": 8, "fallback": "never"}


@pytest.fixture(scope="module", params=["prompt", "model"])
def adapted(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_clip_directory: Path,
    picture_paths: list[Path],
) -> Any:
    """An artifact, the predictions that its run made, and the cache that it used."""
    folder, cache = tmp_path_factory.mktemp("adapted"), FeatureCache()
    pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={"tune": request.param, **TRAINED},
        out=folder / "m",
        predictions_dir=folder / "p",
        feature_cache=cache,
    )
    return folder / "m", open_predictions(folder / "p"), cache


def predict(artifact: Path, items: Any, folder: Path, cache: FeatureCache, **options: Any) -> StoredPredictions:
    predictor = load_for_dataset(artifact, len(items), device=CPU, engine="torch")
    predict_dataset(predictor, items, folder / "out", folder / "parts", device=CPU, cache=cache, at_once=7, **options)
    return open_predictions(folder / "out")


def test_they_are_those_of_the_models_own_job(adapted: Any, picture_paths: list[Path], tmp_path: Path) -> None:
    artifact, own, _ = adapted
    items, _ = collect_items(picture_paths)
    found = predict(artifact, items, tmp_path, FeatureCache())
    assert found.header == own.header
    for name in ("sha256", "label", "runner_up", "zero_shot_label"):
        assert (found.records[name] == own.records[name]).all()
    assert found.records["probability"] == pytest.approx(own.records["probability"], abs=1e-5)


def test_another_variant_and_threshold_can_be_asked_for(
    adapted: Any, picture_paths: list[Path], tmp_path: Path
) -> None:
    artifact, own, _ = adapted
    items, _ = collect_items(picture_paths)
    found = predict(artifact, items, tmp_path, FeatureCache(), variant="zero_shot", threshold=0.3)
    assert (found.header.variant, found.header.threshold, found.header.accepted_from) == ("zero_shot", 0.3, 0.3)
    assert (found.records["label"] == own.records["zero_shot_label"]).all() and not found.changed.any()


def test_what_the_base_model_encoded_for_a_job_is_not_encoded_again(
    adapted: Any, picture_paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact, own, cache = adapted
    items, _ = collect_items(picture_paths)
    encoded: list[str] = []
    encode = dataset_prediction.encode_views

    def counted(encoder: Any, part: Any, views: Any, numbers: Any, on_encoded: Any, kept: Any) -> Any:
        watched = type(encoder)(
            encoder.names, lambda seen: encoded.extend(encoder.names()) or encoder.encode(seen), CPU, encoder.engine
        )
        return encode(watched, part, views, numbers, on_encoded, kept)

    monkeypatch.setattr(dataset_prediction, "encode_views", counted)
    predict(artifact, items, tmp_path, cache)
    trained = own.header.variant == "adapted" and load_for_dataset(artifact, 1, device=CPU).encoder("adapted").nbytes
    assert {name.startswith("items@") for name in encoded} == ({False} if trained else set())


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_model_whose_request_names_no_precision_computes_in_the_one_that_is_asked_for(
    adapted: Any, is_loaded: bool
) -> None:
    artifact, _, _ = adapted
    base: Any = load_for_dataset(artifact, 1, device=CPU, engine="torch").base_model if is_loaded else None
    predictor: Any = load_for_dataset(
        artifact, 1, device=CPU, engine="torch", precision="bfloat16", base_of=lambda name: base
    )
    assert predictor.base_model.precision == torch.bfloat16
    assert base is None or base.precision == torch.float32


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    adapted: Any, picture_paths: list[Path], tmp_path: Path
) -> None:
    artifact, *_ = adapted
    items, _ = collect_items(picture_paths)
    predict(artifact, items, tmp_path / "whole", FeatureCache())
    for limit in (3, 20):
        with pytest.raises(AdaptationStopped):
            predict(artifact, items, tmp_path / "killed", FeatureCache(), on_predicted=stop_after(limit))
    (tmp_path / "killed" / "parts" / "000000.npy").write_bytes(b"torn")
    done: list[int] = []
    predict(artifact, items, tmp_path / "killed", FeatureCache(), on_durable=lambda count, _: done.append(count))
    assert done == [7, 14, 21, 24]
    contents = [(tmp_path / run / "out" / RECORDS).read_bytes() for run in ("whole", "killed")]
    assert contents[0] == contents[1]


def stop_after(limit: int) -> Callable[[int, int], None]:
    def check(done: int, total: int) -> None:
        assert total == 24
        if done >= limit:
            raise AdaptationStopped("cancelled", "Enough.")

    return check


def test_embeddings_are_predicted_by_a_model_of_embeddings(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    features, classes = drawn.normal(size=(40, 8)), drawn.normal(size=(3, 8))
    result = pouf_core.adapt_features(features, classes, method={"tune": "gaussian"}, out=tmp_path / "m")
    items, _ = collect(features[:20], "embedding")
    found = predict(result.path, items, tmp_path, FeatureCache())
    answers = pouf_core.load(result.path).classify(items.features)  # type: ignore[attr-defined]
    assert found.records["label"].tolist() == [answer.class_index for answer in answers]
    narrow, _ = collect(features[:20, :5], "embedding")
    with pytest.raises(InvalidInput) as refused:
        predict(result.path, narrow, tmp_path / "narrow", FeatureCache())
    assert refused.value.code == "embedding_width"


def test_items_of_another_modality_are_refused(adapted: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        predict(adapted[0], [Item("00" * 32, "a text")], tmp_path, FeatureCache())
    assert refused.value.code == "wrong_modality"
