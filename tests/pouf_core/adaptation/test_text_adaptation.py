"""Adapting a sentence encoder to texts, from strings or files to predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import pouf_core
from pouf_core.artifact import load_artifact
from pouf_core.data.items import collect_items, fingerprint
from pouf_core.data.texts import text_hash
from pouf_core.errors import AdaptationStopped, InvalidInput
from pouf_core.families.text_views import TextViews
from tests.corpus.tables import UNSURE
from tests.pouf_core.sentence_encoders import save_sentence_encoder

WORDS = ["great", "good", "okay", "terrible", "bad"]
TEXTS = [f"the {a} movie was {b} it is a {c} story" for a in WORDS for b in WORDS for c in WORDS[:2]]
CLASSES = ["a terrible movie", "a great movie"]
TEMPLATE = "a text is {}."


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sentence:{save_sentence_encoder(tmp_path_factory.mktemp('encoders') / 'tiny')}"


def adapt(data: Any, encoder: str, out: Path, method: dict[str, Any], **options: Any) -> pouf_core.AdaptationResult:
    settings = {"max_steps": 3, "batch_size": 16, "selection": "last", **method}
    return pouf_core.adapt(
        data, CLASSES, base_model=encoder, prompt_template=TEMPLATE, method=settings, out=out, **options
    )


TRAINED = {
    "prompt": lambda name: name == "context",
    "head": lambda name: name == "network.text.proj.change.weight",
    "norm": lambda name: "LayerNorm" in name,
    "last_n": lambda name: name.startswith("network.text.transformer.encoder.layer.1."),
    "model": lambda name: name.startswith("network.text.transformer."),
}


@pytest.mark.parametrize("tune", sorted(TRAINED))
def test_each_mode_trains_its_parameters_and_predicts_with_them(encoder: str, tmp_path: Path, tune: str) -> None:
    result = adapt(TEXTS, encoder, tmp_path / "model", {"tune": tune, "learning_rate": 1e-3})
    kept = load_artifact(result.path).tensors
    names = [name.removeprefix("trained.") for name in kept if name.startswith("trained.")]
    assert names
    assert all(TRAINED[tune](name) for name in names)
    predictor = pouf_core.load(result.path, device="cpu")
    one_by_one = [predictor.predict([text], 2, "adapted")[0].score for text in TEXTS[:4]]
    together = [prediction.score for prediction in predictor.predict(TEXTS[:4], 2, "adapted")]
    assert one_by_one == pytest.approx(together, abs=1e-4)  # kernels differ with the size of a batch
    own = predictor.embed(["a text is a great movie."], "zero_shot")
    assert torch.allclose(own[0], load_artifact(result.path).tensors["prototypes.zero_shot"][1], atol=1e-5)
    adapted, before = (predictor.embed(TEXTS[:4], variant) for variant in ("adapted", "zero_shot"))
    moved = not torch.allclose(adapted, before, atol=1e-5)
    assert moved is (tune != "prompt")


def test_files_and_lists_of_the_same_texts_give_the_same_weights(encoder: str, tmp_path: Path) -> None:
    lines, table = tmp_path / "a.txt", tmp_path / "a.csv"
    lines.write_text("\n".join(TEXTS))
    table.write_text("about,body\n" + "\n".join(f"some words,{text}" for text in reversed(TEXTS)))
    data = {"list": TEXTS, "lines": lines, "table": str(table), "mixed": [lines, *TEXTS]}
    weights = set()
    for name, source in data.items():
        column = {"text_column": "body"} if name == "table" else {}
        result = adapt(source, encoder, tmp_path / name, {"tune": "model"}, **column)
        weights.add((result.path / "adapter.safetensors").read_bytes())
    assert len(weights) == 1


def test_a_table_is_read_as_the_caller_says(encoder: str, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    rows = "".join(f"{text};{CLASSES['bad' in text]};é\n" for text in TEXTS)
    table.write_text(rows, encoding="cp850")
    said = {"text_column": "0", "label_column": "1", "delimiter": ";", "encoding": "cp850", "header": False}
    result = adapt(table, encoder, tmp_path / "model", {"max_steps": 1}, **said)
    assert result.evaluation is not None
    assert result.evaluation.n == len(TEXTS)
    with pytest.raises(InvalidInput, match="one character"):
        adapt(table, encoder, tmp_path / "other", {"max_steps": 1}, delimiter=";;")


def test_a_file_of_which_the_encoding_can_hardly_be_told_makes_a_warning(encoder: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_bytes(UNSURE)
    (data / "b.txt").write_text("\n".join(TEXTS))
    result = adapt(data, encoder, tmp_path / "model", {"max_steps": 1})
    (warning,) = (one for one in result.warnings if one.code == "encoding_unsure")
    assert "'a.csv'" in warning.message
    said = adapt(data, encoder, tmp_path / "other", {"max_steps": 1}, encoding="mac-roman")
    assert "encoding_unsure" not in {one.code for one in said.warnings}


def test_labels_leave_no_trace_in_the_weights(encoder: str, tmp_path: Path) -> None:
    weights = set()
    for name, labels in {"none": [], "right": CLASSES, "swapped": CLASSES[::-1]}.items():
        given = {text_hash(text): labels["great" in text] for text in TEXTS} if labels else None
        result = adapt(TEXTS, encoder, tmp_path / name, {"tune": "norm"}, evaluation_labels=given)
        assert (result.evaluation is not None) is bool(labels)
        weights.add((result.path / "adapter.safetensors").read_bytes())
    assert len(weights) == 1


def test_an_interrupted_run_ends_with_the_same_weights(encoder: str, tmp_path: Path) -> None:
    whole = adapt(TEXTS, encoder, tmp_path / "whole", {"tune": "model"})
    asked = iter([None] * 10_000)
    count = {"steps": 0}

    def stop() -> str | None:
        return "paused" if count["steps"] == 2 else next(asked)

    def watch(progress: Any) -> None:
        count["steps"] += progress.metrics is not None

    with pytest.raises(AdaptationStopped):
        adapt(
            TEXTS,
            encoder,
            tmp_path / "part",
            {"tune": "model"},
            should_stop=stop,
            on_progress=watch,
            checkpoint_dir=tmp_path / "checkpoints",
        )
    rest = adapt(TEXTS, encoder, tmp_path / "rest", {"tune": "model"}, checkpoint_dir=tmp_path / "checkpoints")
    assert (rest.path / "adapter.safetensors").read_bytes() == (whole.path / "adapter.safetensors").read_bytes()


def test_the_modality_tells_a_list_of_paths_from_a_list_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\none\n\ntwo\n")
    items, rejected = collect_items([str(path)], "text")
    assert [item.text() for item in items] == [str(path)]
    items, rejected = collect_items([path], "text")
    assert sorted(item.text() for item in items) == ["one", "two"]
    assert [(row.name, row.code) for row in rejected] == [("a.txt:3", "empty_text")]
    with pytest.raises(InvalidInput, match="no picture"):
        collect_items([path], "image")


def test_items_are_their_content_whatever_stands_around_it(tmp_path: Path) -> None:
    assert fingerprint(collect_items([" one ", "two"], "text")[0]) == fingerprint(
        collect_items(["two", "one\n", "one"], "text")[0]
    )


def test_views_leave_words_out_the_same_way_every_time() -> None:
    (item,), _ = collect_items([" ".join(f"word{number}" for number in range(200))], "text")
    views = TextViews("words", seed=1)
    assert views.view(item, 0) == item.text()
    first = views.view(item, 1).split()
    assert 0.7 * 200 < len(first) < 0.9 * 200
    assert set(first) < set(item.text().split())
    assert first == views.view(item, 1).split() != views.view(item, 2).split()
    (single,), _ = collect_items(["word"], "text")
    assert {views.view(single, number) for number in range(20)} == {"word"}


def test_the_artifact_says_that_it_takes_texts(encoder: str, tmp_path: Path) -> None:
    result = adapt(TEXTS, encoder, tmp_path / "model", {"max_steps": 1})
    assert json.loads((result.path / "pouf.json").read_text())["modality"] == "text"
    with pytest.raises(InvalidInput) as caught:
        pouf_core.load(result.path, device="cpu").predict([b"\x89PNG"])
    assert caught.value.code == "wrong_modality"
