"""Sentence encoders as base models: their own features, what is trained, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pouf_core.contract.classes import parse_class_names
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.cosine.sentence_encoder import SentenceModel, groups_of_like_length
from pouf_core.families.loading import load_base_model
from pouf_core.families.registry import describe
from tests.pouf_core.sentence_encoders import save_sentence_encoder

import transformers  # isort: skip

TEXTS = ["the movie was great", "terrible", "it is a long story it is", "this text is okay"]
TEMPLATE = "a text about {}."


def load(directory: Path) -> SentenceModel:
    model = load_base_model(f"sentence:{directory}")
    assert isinstance(model, SentenceModel)
    return model


@pytest.fixture
def tiny(tmp_path: Path) -> SentenceModel:
    return load(save_sentence_encoder(tmp_path / "tiny"))


def by_hand(directory: Path, texts: list[str], pool: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Features by transformers alone, one text at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    network = transformers.AutoModel.from_pretrained(directory).eval()
    rows = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            hidden = network(**inputs).last_hidden_state[0]
        rows.append(torch.nn.functional.normalize(pool(hidden, inputs["attention_mask"][0]), dim=0))
    return torch.stack(rows)


POOLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean_tokens": lambda hidden, mask: hidden.mean(dim=0),
    "mean_sqrt_len_tokens": lambda hidden, mask: hidden.sum(dim=0) / mask.sum().sqrt(),
    "cls_token": lambda hidden, mask: hidden[0],
}


@pytest.mark.parametrize("pooling", sorted(POOLS))
@pytest.mark.parametrize("family", ["bert", "roberta", "mpnet", "distilbert", "xlm-roberta"])
def test_features_are_the_models_own_whatever_stands_beside_a_text(tmp_path: Path, family: str, pooling: str) -> None:
    directory = save_sentence_encoder(tmp_path / "model", family, pooling)
    with torch.no_grad():
        found = load(directory).encode_items(TEXTS)
    assert torch.allclose(found, by_hand(directory, TEXTS, POOLS[pooling]), atol=1e-5)


def test_minilm_embeds_as_its_package_says() -> None:
    from pouf_core.families.pretrained import minilm_directory

    texts = ["A very good product.", "This one broke after two days, and nobody answered my letters."]
    with torch.no_grad():
        found = load_base_model("minilm").encode_items(texts)
    assert torch.allclose(found, by_hand(minilm_directory(), texts, POOLS["mean_tokens"]), atol=1e-5)


def test_prompts_and_items_go_through_one_tower(tiny: SentenceModel) -> None:
    classes = parse_class_names(["great", {"name": "bad", "prompt": "a terrible long story"}])
    prompts = build_prompts(classes, [TEMPLATE], tiny.tokenizer)
    with torch.no_grad():
        items = tiny.encode_items(["a text about great.", "a text about a terrible long story."])
        untrained = tiny.prototypes(prompts)
        learned = tiny.prototypes(prompts, tiny.initial_context(prompts))
    assert torch.allclose(items, untrained, atol=1e-6)
    assert torch.allclose(items, learned, atol=1e-6)


def test_the_projection_for_head_changes_nothing_before_training_and_is_no_part_of_the_hash(
    tiny: SentenceModel,
) -> None:
    trunk = tiny.encode_trunk(TEXTS)
    assert torch.equal(tiny.project(trunk), torch.nn.functional.normalize(trunk, dim=1))
    assert torch.equal(tiny.project(trunk), tiny.encode_items(TEXTS))
    pretrained, before = tiny.sha256, tiny.encode_items(TEXTS)
    trained = tiny.copy()
    with torch.no_grad():
        trained.network.get_parameter("text.proj.change.weight").normal_(std=0.3)
    assert trained.sha256 == pretrained
    assert not torch.allclose(trained.encode_items(TEXTS), before, atol=1e-3)


def test_long_texts_are_cut_where_the_encoder_was_trained_to(tiny: SentenceModel) -> None:
    words = ["great"] * 22  # and two special tokens
    with torch.no_grad():
        features = tiny.encode_items([" ".join(words), " ".join([*words, "terrible"]), " ".join(words[:-1])])
    assert torch.allclose(features[0], features[1], atol=1e-6)
    assert not torch.allclose(features[0], features[2], atol=1e-3)


def test_texts_are_lowered_where_the_directory_says_so(tmp_path: Path) -> None:
    lowering = load(save_sentence_encoder(tmp_path / "a", "roberta", limits={"do_lower_case": True}))
    keeping = load(save_sentence_encoder(tmp_path / "b", "roberta"))
    with torch.no_grad():
        assert torch.equal(lowering.encode_items(["GREAT Movie"]), keeping.encode_items(["great movie"]))
        assert not torch.allclose(keeping.encode_items(["GREAT Movie"]), keeping.encode_items(["great movie"]))


REFUSED: dict[str, dict[str, Any]] = {
    "max_tokens": {"pooling": "max_tokens"},
    "Dense": {"modules": ("Transformer", "Pooling", "Dense")},
    "CLIPModel": {"modules": ("CLIPModel",)},
    "prompt 'query'": {"settings": {"prompts": {"query": "query: "}, "default_prompt_name": "query"}},
}


@pytest.mark.parametrize("reason", sorted(REFUSED))
def test_what_cannot_be_loaded_faithfully_is_refused_with_the_reason(tmp_path: Path, reason: str) -> None:
    directory = save_sentence_encoder(tmp_path / "model", **REFUSED[reason])
    with pytest.raises(InvalidInput) as caught:
        load(directory)
    assert caught.value.code == "base_model_not_adaptable"
    assert reason in caught.value.message


def test_a_directory_that_says_nothing_of_pooling_is_refused(tmp_path: Path) -> None:
    directory = save_sentence_encoder(tmp_path / "model")
    (directory / "modules.json").unlink()
    with pytest.raises(InvalidInput) as caught:
        load(directory)
    assert caught.value.code == "base_model_not_adaptable"


@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_a_directory_without_a_tokenizer_is_refused_rather_than_read_every_text_alike(
    tmp_path: Path, family: str
) -> None:
    directory = save_sentence_encoder(tmp_path / "model", family)
    for file in (*directory.glob("tokenizer*"), *directory.glob("vocab*"), *directory.glob("special_tokens*")):
        file.unlink()
    with pytest.raises(InvalidInput, match="no vocabulary"):
        load(directory)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    directory = save_sentence_encoder(tmp_path / "model")
    tensors = load_file(directory / "model.safetensors")
    tensors["encoder.layer.1.output.dense.bias"][0] = float("inf")
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PoufError, match="encoder.layer.1.output.dense.bias") as caught:
        load(directory)
    assert caught.value.code == "base_model_unavailable"


def test_missing_weights_are_never_random(tmp_path: Path) -> None:
    directory = save_sentence_encoder(tmp_path / "model")
    tensors = load_file(directory / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidInput) as caught:
        load(directory)
    assert "encoder.layer.1.output.dense.weight" in caught.value.message


def test_a_path_that_is_not_there_is_unavailable_and_a_hub_name_unknown(tmp_path: Path) -> None:
    with pytest.raises(PoufError) as caught:
        load_base_model(f"sentence:{tmp_path / 'none'}")
    assert caught.value.code == "base_model_unavailable"
    with pytest.raises(InvalidInput) as unknown:
        describe("sentence:all-mpnet-base-v2")
    assert unknown.value.code == "unknown_base_model"


def test_texts_of_like_length_are_encoded_together_and_hardly_any_padding(
    tiny: SentenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [" ".join(["good"] * count) for count in (1, 40, 2, 41, 40, 1, 3)]
    expected = torch.cat([tiny.encode_plain([text]) for text in texts])
    shapes: list[tuple[int, ...]] = []
    frozen = tiny.frozen

    def noted(tokens: Tensor, precision: torch.dtype) -> Tensor:
        shapes.append(tuple(tokens.shape))
        return frozen(tokens, precision)

    monkeypatch.setattr(tiny, "frozen", noted)
    assert torch.allclose(tiny.encode_plain(texts), expected, atol=1e-5)
    (long, short) = shapes
    assert (long, short) == ((3, 24), (4, 5))


def test_padding_up_to_what_a_call_costs_is_no_reason_for_another() -> None:
    assert groups_of_like_length([10, 12, 11, 10]) == [[1, 2, 0, 3]]
    assert groups_of_like_length([5, 30, 5, 29, 28]) == [[1, 3, 4], [0, 2]]
    assert groups_of_like_length([]) == []
