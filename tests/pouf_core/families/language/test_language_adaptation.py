"""Adapting a language model to texts, from strings or files to predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import pouf_core
from pouf_core.artifact import load_artifact
from pouf_core.data.texts import TextItem, text_hash
from pouf_core.errors import AdaptationStopped, ArtifactError, InvalidInput, PoufError
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.loading import BaseModelPool
from tests.pouf_core.families.language.tiny_models import save_causal, save_masked
from tests.pouf_core.sentence_encoders import save_sentence_encoder

ADJECTIVES = ["great", "good", "okay", "terrible", "bad"]
TEXTS = [f"the {a} movie was {b} it is a {c} story" for a in ADJECTIVES for b in ADJECTIVES for c in ADJECTIVES[:2]]
PAIRS = [TextItem(f"the movie was {a}", f"it is {b}") for a in ADJECTIVES for b in ADJECTIVES]
CLASSES = ["negative", "positive"]
LABEL_WORDS = {"negative": ["terrible", "bad"], "positive": "great"}
PAIR_TEMPLATE = "{text_a}? {mask}, {text_b}"

Adapt = Callable[..., pouf_core.AdaptationResult]


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The name of a small saved model."""
    root = tmp_path_factory.mktemp("language-models")
    saved: dict[str, str] = {}

    def save(name: str) -> str:
        if name not in saved:
            causal = name == "gpt2"
            directory = (save_causal if causal else save_masked)(name, root / name)
            saved[name] = f"{'hf-causal' if causal else 'hf-mlm'}:{directory}"
        return saved[name]

    return save


@pytest.fixture
def adapt(base_model: Callable[[str], str], tmp_path: Path) -> Adapt:
    def run(method: dict[str, Any], name: str = "bert", out: str = "model", data: Any = TEXTS, **options: Any) -> Any:
        settings = {"max_steps": 3, "batch_size": 16, "selection": "last", **method}
        options = {"label_words": LABEL_WORDS, "device": "cpu", "threads": 1, **options}
        return pouf_core.adapt(
            data, CLASSES, base_model=base_model(name), method=settings, out=tmp_path / out, **options
        )

    return run


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2"])
@pytest.mark.parametrize("tune", ["prompt", "norm", "model"])
def test_each_mode_is_saved_and_predicts_with_what_it_trained(adapt: Adapt, name: str, tune: str) -> None:
    result = adapt({"tune": tune, "learning_rate": 1e-2}, name)
    predictor = pouf_core.load(result.path, device="cpu")
    for variant in ("adapted", "zero_shot"):
        one_by_one = [predictor.predict([text], 2, variant)[0].score for text in TEXTS[:4]]
        together = [prediction.score for prediction in predictor.predict(TEXTS[:4], 2, variant)]
        assert one_by_one == pytest.approx(together, abs=1e-5)
    adapted, before = (predictor.embed(TEXTS[:4], variant) for variant in ("adapted", "zero_shot"))
    assert not torch.allclose(adapted, before, atol=1e-4)
    assert predictor.encoder("adapted").key != predictor.encoder("zero_shot").key
    assert json.loads((result.path / "pouf.json").read_text())["label_words"] == {
        "negative": ["terrible", "bad"],
        "positive": ["great"],
    }


def test_nothing_beyond_a_texts_limit_is_read_in_training_or_prediction(adapt: Adapt) -> None:
    pairs = {"data": PAIRS, "prompt_template": PAIR_TEMPLATE}
    limited = adapt({"tune": "norm"}, "roberta", text_limits={"text_a": 3}, **pairs)
    predictor = pouf_core.load(limited.path, device="cpu")
    cut, whole, other = (
        TextItem(*texts)
        for texts in (("the movie was", "it is bad"), ("the movie was great", "it is bad"), ("the movie was", "it is"))
    )
    cut_score, whole_score, other_score = (item.score for item in predictor.predict([cut, whole, other], 1, "adapted"))
    assert cut_score == pytest.approx(whole_score, abs=1e-6)
    assert cut_score != pytest.approx(other_score, abs=1e-4)
    unlimited = adapt({"tune": "norm"}, "roberta", out="unlimited", **pairs)
    weights = [load_artifact(result.path).tensors for result in (limited, unlimited)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    with pytest.raises(InvalidInput) as caught:
        adapt({"tune": "norm"}, "roberta", out="refused", text_limits={"text": 3}, **pairs)
    assert (caught.value.code, caught.value.field) == ("invalid_text_limit", "/text_limits/text")


def test_the_zero_shot_variant_is_the_models_own_logits_without_the_words_bias_of_words(
    adapt: Adapt, base_model: Callable[[str], str]
) -> None:
    model: Any = BaseModelPool().get(base_model("bert"))
    ids = model.tokenizer.convert_tokens_to_ids(["terrible", "great"])

    def own(text: str) -> torch.Tensor:
        tokens = model.tokenizer(f"{text} This is [MASK].", return_tensors="pt")
        place = (tokens["input_ids"][0] == model.tokenizer.mask_token_id).nonzero().item()
        with torch.no_grad():
            logits: torch.Tensor = model.network(**tokens).logits[0, place, ids]
        return logits

    bias_of_words = torch.stack([own("").softmax(0), own("N/A").softmax(0)]).mean(dim=0).log()
    words = {"negative": "terrible", "positive": "great"}
    for bias, subtracted in (("auto", bias_of_words), ("none", torch.zeros(2))):
        result = adapt({"label_word_bias": bias}, out=bias, label_words=words)
        found = pouf_core.load(result.path, device="cpu").predict(TEXTS[:3], 2, "zero_shot")
        wanted = [(own(text) - subtracted).softmax(0).max().item() for text in TEXTS[:3]]
        assert [prediction.score for prediction in found] == pytest.approx(wanted, abs=1e-5)
    assert bias_of_words.exp().max() > 0.55


def test_labels_leave_no_trace_in_the_weights(adapt: Adapt) -> None:
    weights = set()
    for name, labels in {"none": [], "right": CLASSES, "swapped": CLASSES[::-1]}.items():
        given = {text_hash(text): labels["great" in text] for text in TEXTS} if labels else None
        result = adapt({"tune": "model"}, out=name, evaluation_labels=given)
        assert (result.evaluation is not None) is bool(labels)
        weights.add((result.path / "adapter.safetensors").read_bytes())
    assert len(weights) == 1


@pytest.mark.parametrize("tune", ["prompt", "model"])
def test_an_interrupted_run_ends_with_the_same_weights(adapt: Adapt, tmp_path: Path, tune: str) -> None:
    method = {"tune": tune, "max_steps": 6}
    whole = adapt(method, out="whole")
    steps: list[Any] = []
    options: dict[str, Any] = {
        "should_stop": lambda: "paused" if len(steps) == 3 else None,
        "on_progress": lambda progress: steps.extend([progress.metrics] if progress.metrics else []),
    }
    with pytest.raises(AdaptationStopped):
        adapt(method, out="part", checkpoint_dir=tmp_path / "checkpoints", **options)
    rest = adapt(method, out="rest", checkpoint_dir=tmp_path / "checkpoints")
    assert (rest.path / "adapter.safetensors").read_bytes() == (whole.path / "adapter.safetensors").read_bytes()


def test_micro_batches_leave_the_weights_as_they_are(adapt: Adapt) -> None:
    whole, parts = (
        load_artifact(adapt({"tune": "model"}, out=str(size), micro_batch_size=size).path).tensors for size in (16, 5)
    )
    moved = [name for name in whole if name.startswith("trained.")]
    assert moved
    assert all(torch.allclose(whole[name], parts[name], atol=1e-5) for name in moved)


def test_the_default_preset_judges_and_chooses_the_step_without_labels(adapt: Adapt) -> None:
    result = adapt({"tune": "norm", "selection": "auto"}, name="roberta")
    assert result.method["selection"] == "label_free"
    assert result.verdict in ("improved", "uncertain", "harmful")
    assert 0 <= result.selected_step <= 3


@pytest.mark.parametrize("kind", ["zero-shot", "prior-matching"])
def test_baselines_are_predicted_with(base_model: Callable[[str], str], tmp_path: Path, kind: str) -> None:
    method = {"type": kind}
    result = pouf_core.adapt(
        TEXTS, CLASSES, base_model=base_model("bert"), label_words=LABEL_WORDS, method=method, out=tmp_path / "model"
    )
    predictor = pouf_core.load(result.path, device="cpu")
    assert predictor.encoder("adapted").key == predictor.encoder("zero_shot").key
    same = predictor.predict(TEXTS[:5], 2, "adapted") == predictor.predict(TEXTS[:5], 2, "zero_shot")
    assert same is (kind == "zero-shot")


def test_variants_asked_for_at_once_do_not_mix(adapt: Adapt) -> None:
    predictor = pouf_core.load(adapt({"tune": "prompt", "learning_rate": 0.5}).path, device="cpu")
    alone = {variant: predictor.embed(TEXTS, variant) for variant in ("adapted", "zero_shot")}
    asked = ["adapted", "zero_shot"] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda variant: predictor.embed(TEXTS, variant), asked))
    assert all(torch.equal(features, alone[variant]) for variant, features in zip(asked, found, strict=True))


def test_pairs_are_adapted_to_from_any_file_and_predicted(adapt: Adapt, tmp_path: Path) -> None:
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    rows = [{"text_a": pair.text, "text_b": pair.text_pair, "label": "x"} for pair in PAIRS]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table.write_text("text_b,text_a\n" + "".join(f"{pair.text_pair},{pair.text}\n" for pair in reversed(PAIRS)))
    weights = set()
    for name, data in {"list": PAIRS, "lines": lines, "table": str(table)}.items():
        result = adapt({"tune": "model"}, "roberta", name, data, prompt_template=PAIR_TEMPLATE)
        weights.add((result.path / "adapter.safetensors").read_bytes())
    assert len(weights) == 1
    predictor = pouf_core.load(result.path, device="cpu")
    assert predictor.predict(PAIRS[:2], 2)[0].label in CLASSES
    swapped = [TextItem(pair.text_pair or "", pair.text) for pair in PAIRS[:2]]
    assert not torch.allclose(predictor.embed(swapped), predictor.embed(PAIRS[:2]), atol=1e-4)
    with pytest.raises(InvalidInput) as caught:
        predictor.predict(["the movie was great"])
    assert caught.value.code == "text_pair_missing"


def test_a_pair_is_no_single_text_and_no_other_pair() -> None:
    pairs = [TextItem("a b", "c"), TextItem("a", "b c"), TextItem("c", "a b"), TextItem("a b c"), TextItem("a bc")]
    assert len({text_hash(pair) for pair in pairs}) == len(pairs)
    assert text_hash("one") == text_hash(TextItem("one"))


TEMPLATE_FIELD = "/prompt_template"
REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    (
        {"label_words": {"negative": "dreadful", "positive": "great"}},
        "label_word_not_in_vocabulary",
        "/label_words/negative/0",
    ),
    ({"label_words": {"negative": "bad", "positive": "bad"}}, "duplicate_label_word", "/label_words/positive/0"),
    ({"label_words": {"negative": "bad", "neutral": "okay"}}, "unknown_class", "/label_words/neutral"),
    ({"label_words": None}, "label_word_not_in_vocabulary", "/label_words/negative/0"),
    ({"prompt_template": "{text} It was."}, "template_without_mask", TEMPLATE_FIELD),
    ({"prompt_template": "{text} {mask} {mask}"}, "template_with_many_masks", TEMPLATE_FIELD),
    ({"prompt_template": "a photo of a {}."}, "unknown_placeholder", TEMPLATE_FIELD),
    ({"prompt_template": PAIR_TEMPLATE}, "text_pair_missing", TEMPLATE_FIELD),
    ({"prompt_template": ["{text} {mask}", "{text} It was {mask}"]}, "one_template_needed", TEMPLATE_FIELD),
    ({"prompt_template": "{text} {mask}", "method": {"tune": "prompt"}}, "nothing_to_tune", TEMPLATE_FIELD),
    ({"data": PAIRS}, "text_pair_not_used", TEMPLATE_FIELD),
    ({"data": [*TEXTS, *PAIRS]}, "mixed_texts", None),
    ({"method": {"tune": "head"}}, "unsupported_tune", "/method/tune"),
    ({"method": {"context": "per_class"}}, "unused_parameter", "/method/context"),
    ({"method": {"logit_scale_learning_rate": 0.1}}, "unused_parameter", "/method/logit_scale_learning_rate"),
    ({"name": "gpt2", "prompt_template": "{mask}: {text}"}, "text_after_mask", TEMPLATE_FIELD),
]


@pytest.mark.parametrize(("changes", "code", "field"), REFUSED, ids=[f"{code}-{field}" for _, code, field in REFUSED])
def test_what_cannot_be_used_is_refused_at_its_field(
    adapt: Adapt, changes: dict[str, Any], code: str, field: str | None
) -> None:
    options = {"method": {}, **changes}
    with pytest.raises(InvalidInput) as caught:
        adapt(**options)
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        ({"label_words": LABEL_WORDS}, "label_words_not_used", "/label_words"),
        ({"method": {"label_word_bias": "none"}}, "unused_parameter", "/method/label_word_bias"),
        ({"data": PAIRS}, "text_pair_not_supported", "/base_model"),
    ],
)
def test_a_sentence_encoder_takes_none_of_it(tmp_path: Path, options: dict[str, Any], code: str, field: str) -> None:
    encoder = f"sentence:{save_sentence_encoder(tmp_path / 'encoder')}"
    settings = {"data": TEXTS, **options}
    with pytest.raises(InvalidInput) as caught:
        pouf_core.adapt(class_names=CLASSES, base_model=encoder, **settings)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_other_weights_than_those_that_were_adapted_are_refused(adapt: Adapt, base_model: Callable[[str], str]) -> None:
    artifact = load_artifact(adapt({}).path)
    with pytest.raises(ArtifactError, match="not those"):
        pouf_core.Predictor(artifact, BaseModelPool().get(base_model("roberta")))


def test_a_name_that_is_not_on_this_machine_is_not_fetched() -> None:
    with pytest.raises(PoufError) as caught:
        pouf_core.adapt(TEXTS, CLASSES, base_model="hf-mlm:nobody/such-a-model", label_words=LABEL_WORDS)
    assert caught.value.code == "base_model_unavailable"


def test_language_models_compute_in_what_the_method_says(masked: Callable[[str], LanguageModel]) -> None:
    base = masked("bert")
    assert base.computing_in("bfloat16").precision == torch.bfloat16
    assert base.computing_in("bfloat16").network is base.network
    assert base.computing_in(None) is base
    assert base.computing_in("bfloat16").weights_key != base.weights_key == base.sha256


def test_a_threshold_is_taken_and_none_is_proposed(adapt: Adapt) -> None:
    result = adapt({"tune": "prompt"}, threshold="auto")
    assert result.abstention is None
    assert "threshold_not_proposed" in [warning.code for warning in result.warnings]
    predictor = pouf_core.load(result.path)
    everything = predictor.predict(TEXTS)
    assert None not in [found.label for found in everything]
    assert all(0 <= found.none_score <= 1 for found in everything if found.none_score is not None)
    assert None not in [found.none_score for found in everything]
    limit = sorted(found.score for found in everything)[len(TEXTS) // 2]
    cut = predictor.predict(TEXTS, threshold=limit)
    assert [found.label is None for found in cut] == [found.score < limit for found in cut]
    assert 0 < sum(found.label is None for found in cut) < len(TEXTS)
