"""ALIGN, SigLIP and CLIP from transformers: its own features and logits, checkpoints that are refused, artifacts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

import pouf_core
from pouf_core.contract.classes import parse_class_names
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.loading import load_base_model
from tests.pouf_core.architecture_cases import save_family
from tests.pouf_core.conftest import CLASS_NAMES, draw_shape
from tests.pouf_core.transformers_families import PROCESSOR, TRANSFORMERS

from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer  # isort: skip

TEMPLATE = "a photo of a {}."
PICTURES = [draw_shape("circle", 3, 70).crop((0, 0, 60, 44)), draw_shape("square", 8, 24)]
PADDING = {"hf-align": 64, "hf-siglip": 32, "hf-clip": 32}  # tokens, as the models were trained
Save = Callable[[str], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Saves a family's instance into a directory of its own."""
    return lambda name: save_family(TRANSFORMERS[name], tmp_path / name)


def load(directory: Path) -> ClipLikeModel:
    model = load_base_model(f"hf-align:{directory}")
    assert isinstance(model, ClipLikeModel)
    return model


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_features_and_logits_are_those_of_transformers(save: Save, name: str) -> None:
    directory = save(name)
    model = load(directory)
    network = AutoModel.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    pixels = AutoImageProcessor.from_pretrained(directory, backend="pil")(images=PICTURES, return_tensors="pt")
    texts = tokenizer(
        [TEMPLATE.format(item) for item in CLASS_NAMES],
        padding="max_length",
        max_length=PADDING[name],
        return_tensors="pt",
        return_attention_mask=name != "hf-siglip",
        return_token_type_ids=False,
    )
    prompts = build_prompts(parse_class_names(CLASS_NAMES), [TEMPLATE], model.tokenizer)
    assert prompts.tokens.shape == texts["input_ids"].shape
    with torch.no_grad():
        images, prototypes = model.encode_plain(PICTURES), model.prototypes(prompts, model.initial_context(prompts))
        own_images = network.get_image_features(**pixels).pooler_output
        own_texts = network.get_text_features(**texts).pooler_output
        own_logits = network(**texts, **pixels).logits_per_image
    torch.testing.assert_close(images, normalize(own_images, dim=1), rtol=0, atol=1e-5)
    torch.testing.assert_close(prototypes, normalize(own_texts, dim=1), rtol=0, atol=1e-5)
    assert (prototypes[0] - prototypes[1]).abs().max() > 1e-3
    bias = getattr(network, "logit_bias", torch.zeros(1))
    logits = model.logit_scale.exp() * images @ prototypes.T
    torch.testing.assert_close(logits + bias, own_logits, rtol=1e-5, atol=1e-4)


def test_size_mean_and_deviation_are_what_the_processor_comes_to(save: Save) -> None:
    mean, deviation = (torch.tensor(PROCESSOR[key]) for key in ("image_mean", "image_std"))
    siglip, align = load(save("hf-siglip")), load(save("hf-align"))
    assert (siglip.image_size, align.image_size) == (32, 32)
    torch.testing.assert_close(torch.tensor(siglip.image_mean), mean)
    torch.testing.assert_close(torch.tensor(siglip.image_std), deviation)
    torch.testing.assert_close(torch.tensor(align.image_mean), (mean + 1) / 2)  # (2x - 1 - mean) / deviation²
    torch.testing.assert_close(torch.tensor(align.image_std), deviation**2 / 2)


@pytest.mark.parametrize(("name", "tune"), [("hf-align", "model"), ("hf-siglip", "prompt"), ("hf-clip", "head")])
def test_an_artifact_predicts_what_was_adapted(
    save: Save, tmp_path: Path, picture_paths: list[Path], name: str, tune: str
) -> None:
    spec = f"hf-align:{save(name)}"
    method = {"tune": tune, "preset": "paper", "max_steps": 2, "batch_size": 8, "learning_rate": 0.05}
    adapted = pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=spec, method=method, out=tmp_path / "adapted")
    predictor = pouf_core.load(adapted.path)
    zero_shot, tuned = (predictor.predict(PICTURES, variant=item) for item in ("zero_shot", "adapted"))
    model = load_base_model(spec)
    prompts = build_prompts(parse_class_names(CLASS_NAMES), [TEMPLATE], model.tokenizer)
    with torch.no_grad():
        logits = model.logit_scale.exp() * model.encode_plain(PICTURES) @ model.prototypes(prompts).T
    assert [item.score for item in zero_shot] == pytest.approx(logits.softmax(dim=1).amax(dim=1).tolist(), abs=1e-5)
    assert [item.score for item in tuned] != pytest.approx([item.score for item in zero_shot], abs=1e-5)
    assert predictor.predict(PICTURES) == pouf_core.load(adapted.path).predict(PICTURES)


def change(directory: Path, file: str, **settings: Any) -> None:
    path = directory / file
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def drop_projection(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def rename_padding(directory: Path) -> None:
    text = json.loads((directory / "config.json").read_text())["text_config"]
    change(directory, "config.json", text_config={**text, "pad_token_id": 3})


def into_a_pickle(directory: Path) -> None:
    torch.save(load_file(directory / "model.safetensors"), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()


def leave_tokenizer_out(directory: Path) -> None:
    for file in directory.glob("tokenizer*"):
        file.unlink()


def spoil_a_weight(directory: Path) -> None:
    tensors = load_file(directory / "model.safetensors")
    tensors["text_projection.weight"][0, 0] = float("nan")
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


REFUSED: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("hf-clip", drop_projection, "base_model_not_adaptable", "no weights for 'text_projection.weight',"),
    ("hf-clip", spoil_a_weight, "base_model_unavailable", "infinite or no numbers"),
    ("hf-clip", into_a_pickle, "base_model_unavailable", "safetensors"),
    ("hf-clip", lambda at: (at / "preprocessor_config.json").unlink(), "base_model_unavailable", "preprocessor_config"),
    (
        "hf-siglip",
        lambda at: change(at, "tokenizer_config.json", padding_side="left"),
        "base_model_not_adaptable",
        "pad on the right",
    ),
    (
        "hf-siglip",
        lambda at: change(at, "preprocessor_config.json", size={"height": 48, "width": 48}),
        "base_model_not_adaptable",
        "its encoders do not run",
    ),
    (
        "hf-clip",
        lambda at: change(at, "preprocessor_config.json", do_center_crop=False),
        "base_model_not_adaptable",
        "only square input",
    ),
    ("hf-align", rename_padding, "base_model_not_adaptable", "different padding tokens"),
    ("hf-clip", leave_tokenizer_out, "base_model_not_adaptable", "no vocabulary"),
]


@pytest.mark.parametrize(("name", "spoil", "code", "reason"), REFUSED)
def test_what_cannot_be_loaded_faithfully_is_refused(
    save: Save, name: str, spoil: Callable[[Path], object], code: str, reason: str
) -> None:
    directory = save(name)
    spoil(directory)
    with pytest.raises(PoufError) as caught:
        load(directory)
    assert caught.value.code == code
    assert reason in caught.value.message
    assert "huggingface.co" not in caught.value.message


@pytest.mark.parametrize("kind", ["siglip2", "altclip", "bert"])
def test_other_architectures_are_refused_by_name_before_weights_are_read(tmp_path: Path, kind: str) -> None:
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path)
    assert caught.value.code == "base_model_not_adaptable"
    assert "known are AlignModel, CLIPModel, SiglipModel" in caught.value.message


def test_code_of_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("raise SystemExit('run')\n")
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}))
    with pytest.raises(PoufError) as caught:
        load(tmp_path)
    assert caught.value.code == "base_model_unavailable"


def test_a_name_without_a_checkpoint_is_refused() -> None:
    for spec, code in (("hf-align:", "unknown_base_model"), ("hf-align:nobody/none", "base_model_unavailable")):
        with pytest.raises(PoufError) as caught:
            load_base_model(spec)
        assert caught.value.code == code


def test_a_path_with_nothing_there_is_told_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(PoufError, match="there is nothing at this path"):
        load(tmp_path / "none")
