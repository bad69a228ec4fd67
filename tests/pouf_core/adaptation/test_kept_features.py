"""Features that stay on disk: a second run over the same items reads no item, and gives the same model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

import pouf_core
from pouf_core.artifact import WEIGHTS
from pouf_core.contract.closed_forms import CLOSED_FORM_TUNES
from pouf_core.contract.manifest import MANIFEST
from pouf_core.contract.progress import Progress
from pouf_core.data.items import Item
from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.sentence_encoder import SentenceModel
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.feature_cache.place import FeaturePlace
from pouf_core.scoring import unit_length
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.sentence_encoders import save_sentence_encoder
from tests.pouf_core.threshold_overrides import CLEAR_DATA, set_limits

OF_THE_RUN = ("created_at", "timings", "seconds")
WHEN_LOADED = 1  # pictures that a model is tried on


class Runs:
    """Adaptations that share a directory of features, how often each picture was read, and how many were encoded."""

    def __init__(self, base_model: str, directory: Path) -> None:
        self.base_model, self.directory = base_model, directory
        self.read: Counter[str] = Counter()
        self.encoded = 0

    def adapt(
        self,
        items: list[Item],
        name: str,
        method: dict[str, Any] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        **changes: Any,
    ) -> pouf_core.AdaptationResult:
        self.read.clear()
        self.encoded = 0
        cache = FeatureCache(place=FeaturePlace(self.directory / changes.pop("features", "features")))
        return pouf_core.adapt(
            items,
            CLASS_NAMES,
            base_model=self.base_model,
            method=method,
            out=self.directory / name,
            feature_cache=cache,
            on_progress=on_progress,
            **{"threads": 1, "device": "cpu", "engine": "torch", "engine_dir": self.directory / "engines", **changes},
        )


@pytest.fixture
def runs(tiny_clip_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs(f"open_clip:{tiny_clip_directory}", tmp_path)
    decode, encode = Item.image, FrozenNetwork.__call__

    def counted(item: Item) -> Any:
        runs.read[item.sha256] += 1
        return decode(item)

    def encoded(network: FrozenNetwork, inputs: Tensor, precision: torch.dtype) -> Tensor:
        runs.encoded += len(inputs)
        return encode(network, inputs, precision)

    monkeypatch.setattr(Item, "image", counted)
    monkeypatch.setattr(FrozenNetwork, "__call__", encoded)
    return runs


@pytest.fixture(scope="module")
def items(picture_paths: list[Path]) -> list[Item]:
    return pouf_core.data.items.collect_items(picture_paths)[0]


def contents(result: pouf_core.AdaptationResult) -> tuple[bytes, dict[str, Any]]:
    """What must be equal of two runs: all weights, and the manifest without times."""
    manifest = json.loads((result.path / MANIFEST).read_text())
    return (result.path / WEIGHTS).read_bytes(), {key: manifest[key] for key in manifest if key not in OF_THE_RUN}


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize("method", [None, {"tune": "prompt", "max_steps": 2}])
def test_a_second_run_reads_no_picture_and_gives_the_same_model(
    runs: Runs, items: list[Item], method: dict[str, Any] | None, engine: str
) -> None:
    first = runs.adapt(items, "first", method, engine=engine)
    assert set(runs.read) == {item.sha256 for item in items}
    second = runs.adapt(items, "second", method, engine=engine)
    assert (runs.encoded, dict(runs.read)) == (0, {})
    assert contents(first) == contents(second)
    assert second.engine is not None
    assert second.engine.name == engine


def test_only_new_pictures_are_read(runs: Runs, items: list[Item]) -> None:
    runs.adapt(items[4:], "first")
    runs.adapt(items, "second")
    assert set(runs.read) == {item.sha256 for item in items[:4]}


@pytest.mark.parametrize("change", [{"threads": 2}, {"engine": "openvino"}, {"features": "of another owner"}])
def test_other_threads_engines_and_owners_share_nothing(runs: Runs, items: list[Item], change: dict[str, Any]) -> None:
    runs.adapt(items, "first")
    runs.adapt(items, "second", **change)
    assert len(runs.read) == len(items)


def test_a_killed_run_goes_on_where_it_stopped(runs: Runs, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pouf_core.adaptation.feeding.encode_batch", lambda _: 4)
    whole = runs.adapt(items, "whole", features="elsewhere")

    def die(progress: Progress) -> None:
        if progress.stage == "encoding" and progress.step == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.adapt(items, "killed", on_progress=die)
    resumed = runs.adapt(items, "resumed")
    assert runs.encoded == len(items) - 12
    assert contents(resumed) == contents(whole)


def test_where_no_engine_can_run_the_encoder_features_are_kept_all_the_same(
    runs: Runs, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("an operation that cannot be converted")

    monkeypatch.setattr("pouf_core.engines.openvino_engine.convert", refused)
    monkeypatch.setattr("pouf_core.adaptation.feeding.encode_batch", lambda _: 4)
    first = runs.adapt(items, "first", engine="openvino")
    assert runs.encoded == len(items)
    second = runs.adapt(items, "second", engine="openvino")
    assert runs.encoded == 4  # a batch, since only then it shows
    assert [first.engine.name, second.engine.name] == ["torch", "torch"]
    assert contents(first) == contents(second)


def test_names_and_labels_are_in_no_key(runs: Runs, items: list[Item]) -> None:
    labels = {item.sha256: CLASS_NAMES[0] for item in items}
    runs.adapt(items, "first", evaluation_labels=labels)
    runs.adapt(items, "second", evaluation_labels={})
    assert not runs.read
    written = [path for path in (runs.directory / "features").rglob("*") if path.is_file()]
    assert not any(name.encode() in path.read_bytes() for path in written for name in CLASS_NAMES)


def test_texts_are_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(f"sentence:{save_sentence_encoder(tmp_path / 'encoder')}", tmp_path)
    texts, _ = pouf_core.data.items.collect_items([f"a film {number}" for number in range(40)], "text")
    encode, encoded = SentenceModel.encode_trunk, []

    def counted(model: SentenceModel, views: Any) -> Any:
        encoded.extend(views)
        return encode(model, views)

    monkeypatch.setattr(SentenceModel, "encode_trunk", counted)
    first = runs.adapt(texts, "first")
    assert len(encoded) == len(texts)
    encoded.clear()
    second = runs.adapt(texts, "second")
    assert encoded == []
    assert contents(first) == contents(second)


@pytest.mark.parametrize("tune", CLOSED_FORM_TUNES)
def test_a_closed_form_looks_at_each_picture_once(runs: Runs, items: list[Item], tune: str) -> None:
    result = runs.adapt(items, tune, {"tune": tune})
    assert (result.method.type, runs.encoded) == ("closed-form", len(items))
    assert "encoding_views" not in result.timings
    figures = contents(result)[1]["judged_by"]
    assert figures["item_count"] == len(items)
    assert not figures.keys() & {"view_agreement", "neighbour_agreement", "ratio"}


@pytest.mark.parametrize("method", [{"type": "zero-shot"}, {"type": "prior-matching"}, {"tune": "prompt"}])
def test_what_checks_judge_is_seen_twice_before_it_is_trained(
    runs: Runs, items: list[Item], method: dict[str, Any]
) -> None:
    result = runs.adapt(items, "checked", method)
    assert runs.encoded == 2 * len(items)
    assert list(result.timings)[:3] == ["loading_base", "encoding", "encoding_views"]


@pytest.fixture
def through_the_trunk() -> Iterator[Counter[str]]:
    """How many pictures went through a vision transformer's first layer, whoever called it."""
    count: Counter[str] = Counter()

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, nn.Conv2d):
            count["pictures"] += len(inputs[0])

    handle = register_module_forward_pre_hook(note)
    yield count
    handle.remove()


@pytest.mark.parametrize("wanted", [{"method": {"tune": "head", "max_steps": 2}}, {"quality": "best"}])
def test_no_picture_is_encoded_after_the_first_pass(
    runs: Runs,
    items: list[Item],
    monkeypatch: pytest.MonkeyPatch,
    through_the_trunk: Counter[str],
    wanted: dict[str, Any],
) -> None:
    set_limits(monkeypatch, **CLEAR_DATA)
    after: Counter[str] = Counter()

    def note(progress: Progress) -> None:
        after[progress.stage] = through_the_trunk["pictures"]

    first = runs.adapt(items, "first", on_progress=note, **wanted)
    assert through_the_trunk["pictures"] == WHEN_LOADED + 2 * len(items)  # as they are and mirrored
    assert after["training"] == after["encoding_views"]
    through_the_trunk.clear()
    second = runs.adapt(items, "second", **wanted)
    assert through_the_trunk["pictures"] == WHEN_LOADED
    assert contents(first) == contents(second)
    assert first.method.tune == "head" or first.warnings


def test_a_vision_transformer_splits_into_trunk_and_projection(tiny_clip: ClipLikeModel) -> None:
    pixels = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        trunk = tiny_clip.encode_trunk(pixels)
        assert trunk.shape == (3, 64)
        assert torch.equal(tiny_clip.project(trunk), unit_length(tiny_clip.network.encode_image(pixels)))
        assert torch.equal(tiny_clip.project(trunk), tiny_clip.encode_images(pixels))
