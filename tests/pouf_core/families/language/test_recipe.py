"""Twenty steps of `preset: "paper"` by `adapt` against `tests/reference`, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import pouf_core
from pouf_core.artifact import WEIGHTS, load_artifact
from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.language_template import parse_template
from pouf_core.data.items import collect_items
from pouf_core.data.texts import TextItem, text_item
from pouf_core.errors import AdaptationStopped
from pouf_core.families.language.item_reader import ItemReader
from pouf_core.families.language.learner import trained_parameters
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.trained_tensors import tied_names
from pouf_core.system.runtime import generator
from tests.pouf_core.families.language.tiny_models import FAMILIES, WIDTH, WORDS
from tests.reference.masked_lm import Recipe, tune

STEPS, TOLERANCE = 20, 1e-6
CLASSES = ["negative", "neutral", "positive"]
LABEL_WORDS = {"negative": "terrible", "neutral": "okay", "positive": "great"}
TEMPLATE = "{text} It was {mask}."
TEXTS = [" ".join(WORDS[index : index + 2 + index % 4]) for index in range(9)]  # the last batch of an epoch has one

Moved = tuple[dict[str, Tensor], dict[str, Any]]


def adapt(model: LanguageModel, method: dict[str, Any], out: Path, **options: Any) -> pouf_core.AdaptationResult:
    return pouf_core.adapt(
        TEXTS,
        CLASSES,
        base_model=model,
        prompt_template=TEMPLATE,
        label_words=LABEL_WORDS,
        method=method,
        out=out,
        device="cpu",
        threads=1,
        **options,
    )


def encoder_of(model: LanguageModel) -> Any:
    words = [(word,) for word in LABEL_WORDS.values()]
    return model.item_tokenizer(parse_template(TEMPLATE), words, parse_class_names(CLASSES))


@pytest.fixture(scope="module")
def moved(masked: Callable[[str], LanguageModel], tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """What the first twenty of the recipe's thousand steps move, and the numbers that it resolved to."""
    model, folder = masked("bert"), tmp_path_factory.mktemp("paper")
    steps: list[Any] = []
    resolved: dict[str, Any] = {}
    model.network.double()
    before = {name: value.detach().clone() for name, value in model.network.named_parameters(remove_duplicate=False)}

    def watch(progress: Any) -> None:
        steps.extend([progress.metrics] if progress.metrics else [])
        resolved.update(progress.method or {})

    def stop() -> str | None:
        return "enough" if len(steps) == STEPS else None

    options = {"on_progress": watch, "should_stop": stop, "checkpoint_dir": folder / "checkpoints"}
    with pytest.raises(AdaptationStopped):
        adapt(model, {"preset": "paper", "tune": "model"}, folder / "model", **options)
    checkpoint = torch.load(folder / "checkpoints" / f"step-{STEPS:08d}.pt", weights_only=True)
    tensors = {name.removeprefix("network."): value for name, value in checkpoint["tensors"].items()}
    return {name: value - before[name] for name, value in tensors.items()}, resolved


def expected(model: LanguageModel, directory: Path, recipe: Recipe, *, short_batches: bool = True) -> dict[str, Tensor]:
    encoder = encoder_of(model)
    encoded = [encoder(text_item(item.text()), "/inputs/0") for item in collect_items(TEXTS, "text")[0]]
    items = [(list(item.ids), item.position) for item in encoded]
    batches: list[list[tuple[list[int], int]]] = []
    for epoch in range(STEPS):
        order = torch.randperm(len(items), generator=generator(0, "order", epoch)).tolist()
        order = order if short_batches else order[: len(items) // 2 * 2]
        batches += [[items[index] for index in order[start : start + 2]] for start in range(0, len(order), 2)]
    words, saved = [own[0] for own in encoder.word_ids], load_file(directory / "model.safetensors")
    return tune(saved, batches[:STEPS], words, WIDTH["num_attention_heads"], recipe)


def largest_error(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """In units of the largest displacement."""
    assert found.keys() == wanted.keys()
    largest = max(value.abs().max().item() for value in wanted.values())
    return max((found[name] - value).abs().max().item() for name, value in wanted.items()) / largest


def test_twenty_steps_move_every_weight_as_the_reference_recipe_does(
    moved: Moved, masked: Callable[[str], LanguageModel], masked_directory: Callable[[str], Path]
) -> None:
    found, method = moved
    wanted = expected(masked("bert"), masked_directory("bert"), Recipe())
    assert all(value.abs().max() > 0 for name, value in wanted.items() if not name.endswith("key.bias"))
    assert largest_error(found, wanted) <= TOLERANCE
    numbers = ("optimizer", "learning_rate", "schedule", "gradient_clip", "batch_size", "max_steps", "selection")
    assert [method[name] for name in numbers] == ["adamw", 1e-5, "linear", 1.0, 2, 1000, "last"]
    assert (method["mutual_information_weight"], method["label_word_bias"]) == (0.6, "none")
    assert [method[name] for name in ("drop_last", "short_batches", "untied_rows")] == [False, True, True]


@pytest.mark.parametrize("left_out", ["clip", "decay", "bias", "uncorrected_epsilon"])
def test_the_comparison_sees_what_a_recipe_leaves_out(
    moved: Moved, masked: Callable[[str], LanguageModel], masked_directory: Callable[[str], Path], left_out: str
) -> None:
    poorer = expected(masked("bert"), masked_directory("bert"), Recipe(**{left_out: False}))
    assert largest_error(moved[0], poorer) > 100 * TOLERANCE


def test_the_comparison_sees_epochs_whose_rest_is_left_out(
    moved: Moved, masked: Callable[[str], LanguageModel], masked_directory: Callable[[str], Path]
) -> None:
    poorer = expected(masked("bert"), masked_directory("bert"), Recipe(), short_batches=False)
    assert largest_error(moved[0], poorer) > 100 * TOLERANCE


@pytest.mark.parametrize("family", ["bert", "roberta", "albert", "deberta-v3"])
def test_rows_that_paper_trains_apart_from_the_embeddings_are_served_apart(
    masked: Callable[[str], LanguageModel], tmp_path: Path, family: str
) -> None:
    model = masked(family)
    tied = tied_names(model.network)
    method = {"preset": "paper", "tune": "model", "max_steps": 6, "learning_rate": 0.01}
    artifact = load_artifact(adapt(model, method, tmp_path / "model").path)
    start = "trained.network."
    trained = {name.removeprefix(start): item for name, item in artifact.tensors.items() if name.startswith(start)}
    apart = tied & trained.keys()
    assert len(apart) == (0 if family == "deberta-v3" else 1)  # whose head has no place for rows
    served = model.with_weights(trained)
    for name in apart:
        assert torch.equal(served.network.get_parameter(name), trained[name])
        assert not torch.equal(served.network.get_parameter(name), served.input_embedding.weight)
    assert tied_names(model.network) == tied  # the base model stays as it was
    predictor, reader = pouf_core.Predictor(artifact, model), ItemReader(served, encoder_of(model))
    features = predictor.embed(TEXTS)
    assert torch.allclose(features, reader.encode_plain(TEXTS), atol=1e-6)
    logits = predictor._variants["adapted"].classifier(features).class_logits
    assert torch.allclose(reader.classifier(None)(features).class_logits, logits, atol=1e-5)


def test_an_interrupted_run_of_paper_ends_with_the_weights_of_a_whole_one(
    masked: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    method = {"preset": "paper", "tune": "model", "max_steps": 7, "learning_rate": 0.01}
    steps: list[Any] = []

    def watch(progress: Any) -> None:
        steps.extend([progress.metrics] if progress.metrics else [])

    kept: dict[str, Any] = {"checkpoint_dir": tmp_path / "checkpoints"}
    stop: dict[str, Any] = {"on_progress": watch, "should_stop": lambda: "pause" if len(steps) == 5 else None}
    with pytest.raises(AdaptationStopped):
        adapt(masked("bert"), method, tmp_path / "stopped", **kept, **stop)
    resumed = adapt(masked("bert"), method, tmp_path / "resumed", **kept)
    whole = adapt(masked("bert"), method, tmp_path / "whole")
    assert (resumed.path / WEIGHTS).read_bytes() == (whole.path / WEIGHTS).read_bytes()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", ["model", "norm", "prompt"])
def test_a_step_trains_what_the_mode_says_and_never_a_supervised_loss(
    masked: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, family: str, mode: str
) -> None:
    model = masked(family)
    seen: list[bool] = []

    def look(_module: nn.Module, _inputs: Any, named: dict[str, Any]) -> None:
        seen.append(named.get("labels") is not None)

    for module in model.network.modules():
        module.register_forward_pre_hook(look, with_kwargs=True)
    monkeypatch.setattr(nn.functional, "cross_entropy", lambda *_, **__: pytest.fail("a supervised loss"))
    before = {name: value.detach().clone() for name, value in model.network.named_parameters()}
    method = {"tune": mode, "max_steps": 1, "batch_size": 4, "selection": "last"}
    kept = load_artifact(adapt(model, method, tmp_path / "model").path).tensors
    assert seen and not any(seen)
    assert all(torch.equal(value, before[name]) for name, value in model.network.named_parameters())
    trained = {name.removeprefix("trained."): value for name, value in kept.items() if name.startswith("trained.")}
    if mode == "prompt":
        assert trained.keys() == {"context"}
        start = model.initial_context(encoder_of(model))
        assert (trained["context"] != start).any(dim=1).all()
        return
    assert trained.keys() == {f"network.{name}" for name in trained_parameters(model.network, mode)}
    assert any(not torch.equal(value, before[name.removeprefix("network.")]) for name, value in trained.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_an_untrained_context_changes_nothing(masked: Callable[[str], LanguageModel], family: str) -> None:
    model = masked(family)
    encoder = encoder_of(model)
    batch = model.batch([encoder(TextItem(text), "/inputs/0", with_context=True) for text in TEXTS[:3]])
    with torch.no_grad():
        own = model.features(batch)
        assert torch.equal(model.features(batch, model.initial_context(encoder)), own)
        assert not torch.equal(model.features(batch, model.initial_context(encoder) + 1), own)
