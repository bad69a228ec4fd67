"""The embedded masked language model, as it is shipped."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import pouf_core
from pouf_core.data.text_files import TextRow, read_texts
from pouf_core.families.language.minilm_mlm import build_minilm_mlm, trained_path
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.loading import load_base_model
from pouf_core.families.pretrained import minilm_directory

PAIRS = Path(__file__).parents[4] / "examples" / "inference" / "pairs.csv"
MOST_BYTES = 12_000_000
REVIEWS = [f"{start} {end}" for start in ("A", "Such a", "What a") for end in ("sad film.", "lovely day.", "bad meal.")]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    loaded = load_base_model("minilm-mlm")
    assert isinstance(loaded, LanguageModel)
    return loaded


def test_the_shipped_changes_are_merged_into_the_packages_encoder(model: LanguageModel) -> None:
    encoder, trained = load_file(minilm_directory() / "model.safetensors"), load_file(trained_path())
    matrices = [name.removesuffix(".up") for name in trained if name.endswith(".up")]
    assert len(matrices) == 6 * model.network.config.num_hidden_layers
    for matrix in matrices:
        product = trained[f"{matrix}.up"].float() @ trained[f"{matrix}.down"].float()
        expected = encoder[matrix.removeprefix("bert.")] + product
        assert torch.allclose(model.network.get_parameter(matrix), expected, atol=1e-6)
        assert product.abs().max() > 1e-3
    words, mask = model.network.get_input_embeddings().weight, model.tokenizer.mask_token_id
    others = torch.arange(len(words)) != mask
    assert torch.equal(words[others], encoder["embeddings.word_embeddings.weight"][others])
    assert torch.equal(words[mask], trained["mask_vector"].float())
    assert trained_path().stat().st_size < MOST_BYTES


def test_transform_rows_and_bias_give_the_models_own_logits(model: LanguageModel) -> None:
    inputs = model.tokenizer("it was a [MASK] day", return_tensors="pt")
    with torch.no_grad():
        hidden = model.network.bert(**inputs).last_hidden_state
        assert model.head.bias is not None
        found = model.head.transform(hidden) @ model.head.rows.T + model.head.bias
        assert torch.allclose(found, model.network(**inputs).logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("sentence", "word"),
    [
        ("They have lived [MASK] this house for ten years.", "in"),
        ("She took a book from the shelf and began to [MASK] it.", "read"),
        ("He opened the [MASK] and walked into the room.", "door"),
        ("The king and the [MASK] sat on their thrones.", "queen"),
        ("My father and my [MASK] are both doctors.", "mother"),
        ("The cup is full of hot [MASK].", "tea"),
    ],
)
def test_an_obvious_word_is_among_the_first_ten(model: LanguageModel, sentence: str, word: str) -> None:
    inputs = model.tokenizer(sentence, return_tensors="pt")
    (place,) = (inputs["input_ids"][0] == model.tokenizer.mask_token_id).nonzero()[0].tolist()
    with torch.no_grad():
        best = model.network(**inputs).logits[0, place].topk(10).indices
    assert word in model.tokenizer.convert_ids_to_tokens(best.tolist())


def broken(tensors: dict[str, Tensor]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Files that do not fit, each under what the refusal names."""
    down, bias = next(name for name in tensors if name.endswith(".down")), "cls.predictions.bias"
    yield down, {name: tensor for name, tensor in tensors.items() if name != down}
    yield bias, {name: tensor for name, tensor in tensors.items() if name != bias}
    yield "size", tensors | {bias: torch.zeros(3)}
    yield "pooler", tensors | {"pooler.dense.bias": torch.zeros(3)}


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    for number, (named, tensors) in enumerate(broken(load_file(trained_path()))):
        save_file(tensors, tmp_path / f"{number}.safetensors")
        with pytest.raises(RuntimeError, match=named):
            build_minilm_mlm(tmp_path / f"{number}.safetensors")


@pytest.mark.parametrize("tune", ["prompt", "model"])
def test_it_is_adapted_and_predicts(model: LanguageModel, tmp_path: Path, tune: str) -> None:
    result = pouf_core.adapt(
        REVIEWS,
        ["bad", "good"],
        base_model=model,
        prompt_template="{text} It was {mask}.",
        label_words={"bad": "terrible", "good": "great"},
        method={"tune": tune, "max_steps": 2, "selection": "last", "learning_rate": 1e-3},
        out=tmp_path / "model",
        device="cpu",
        threads=1,
    )
    predictor = pouf_core.load(result.path, device="cpu")
    adapted, own = (predictor.predict(REVIEWS, 2, variant) for variant in ("adapted", "zero_shot"))
    assert [one.score for one in adapted] != [one.score for one in own]
    assert {one.label for one in own} <= {"bad", "good"}


def test_the_inference_pairs_are_balanced_and_all_different() -> None:
    rows = [row for row in read_texts(PAIRS, PAIRS.name) if isinstance(row, TextRow)]
    counts = Counter(row.label for row in rows)
    assert set(counts) == {"contradiction", "entailment", "neutral"}
    assert len(set(counts.values())) == 1
    assert len(rows) >= 210
    assert len({row.item for row in rows}) == len(rows)
    assert Counter(Counter(row.text for row in rows).values()).keys() == {3}  # each first sentence with every label
    with PAIRS.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
