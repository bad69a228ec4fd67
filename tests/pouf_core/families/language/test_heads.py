"""Features and decoder rows reproduce the model's own logits, in every known head."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.language_template import parse_template
from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.families.language.label_word_classifier import LabelWordClassifier
from pouf_core.families.language.model import LanguageModel
from tests.pouf_core.families.language.tiny_models import FAMILIES, load_masked, transformers

CLASSES = parse_class_names(["positive", "negative"])
WORDS = [("great", "good"), ("terrible",)]
TEMPLATE = parse_template("{text} It was {mask}.")
ITEMS = [TextItem("the movie was long"), TextItem("this is a long story, a long text"), TextItem("no")]


@pytest.mark.parametrize("family", FAMILIES)
def test_transform_rows_and_bias_give_the_models_own_logits(
    masked: Callable[[str], LanguageModel], family: str
) -> None:
    model = masked(family)
    encoder = model.item_tokenizer(TEMPLATE, WORDS, CLASSES)
    batch = model.batch([encoder(item, "/inputs/0") for item in ITEMS])
    assert (batch.ids == model.tokenizer.mask_token_id).sum(dim=1).tolist() == [1, 1, 1]
    with torch.no_grad():
        features = model.features(batch)
        assert model.head.bias is not None
        found = features @ model.head.rows.T + model.head.bias
        own = model.network(input_ids=batch.ids, attention_mask=batch.attention).logits
        own = own[torch.arange(len(batch)), batch.asked]
        scores = LabelWordClassifier.of(model.head, encoder.word_ids)(features)
    assert torch.allclose(found, own, rtol=0, atol=1e-5)
    (first, second), (third,) = encoder.word_ids
    pair = own[:, [first, second]].exp().mean(dim=1).log()
    assert torch.allclose(scores.class_logits, torch.stack([pair, own[:, third]], dim=1), rtol=0, atol=1e-5)
    assert (own[0] - own[1]).abs().max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_tied_where_the_model_ties_them(masked: Callable[[str], LanguageModel], family: str) -> None:
    model = masked(family)
    assert (model.head.rows is model.input_embedding.weight) is (family != "bert-untied")


def test_an_encoder_without_a_head_is_refused(masked_directory: Callable[[str], Path], tmp_path: Path) -> None:
    network = transformers.BertModel.from_pretrained(masked_directory("bert"))
    network.save_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match=r"no weights for 'cls\.predictions") as refused:
        load_masked(tmp_path)
    assert (refused.value.code, refused.value.field) == ("base_model_not_adaptable", "/base_model")


def test_weights_of_the_new_deberta_head_are_read_under_the_old_ones_configuration(
    masked_directory: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copytree(masked_directory("deberta-v3"), tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "legacy": True}))
    model = load_masked(tmp_path)
    assert torch.equal(model.head.rows, load_masked(masked_directory("deberta-v3")).head.rows)


def test_pickled_weights_are_refused(masked_directory: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(masked_directory("bert"), tmp_path, dirs_exist_ok=True)
    torch.save(load_masked(tmp_path).network.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(PoufError) as refused:
        load_masked(tmp_path)
    assert refused.value.code == "base_model_unavailable"


def test_an_unknown_head_is_refused_by_name_before_weights_are_read(tmp_path: Path) -> None:
    transformers.ConvBertConfig().save_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match="ConvBertForMaskedLM is not known"):
        load_masked(tmp_path)
