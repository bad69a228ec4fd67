"""Base models: where they come from, what each tune mode trains, and what cutting prompts may not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pouf_core.contract.classes import parse_class_names
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.open_clip_loading import open_clip
from pouf_core.families.cosine.pouf_lite_network import head_path
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.cosine.trained_parameters import trained_parameters
from pouf_core.families.loading import BaseModelPool, load_base_model
from pouf_core.families.registry import describe
from pouf_core.families.trained_tensors import weights_hash


def test_cutting_to_live_positions_leaves_causal_features_as_they_are(tiny_clip: ClipLikeModel) -> None:
    tokens = tiny_clip.tokenizer(["a cat", "a photo of a musical instrument"])
    cut = tiny_clip.text.cut(tokens)
    assert cut.shape[1] < tokens.shape[1] == 77
    with torch.no_grad():
        assert torch.allclose(tiny_clip.text(cut), tiny_clip.network.encode_text(tokens), atol=1e-6)


def test_towers_that_attend_to_padding_are_not_cut() -> None:
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1, "no_causal_mask": True}
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    network = open_clip.CustomTextCLIP(embed_dim=16, vision_cfg=vision, text_cfg=text)
    from pouf_core.families.cosine.text_encoding import TextEncoding

    tokens = torch.tensor([[5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
    assert TextEncoding(network, pad_token_id=0).cut(tokens).shape == tokens.shape


def test_gradients_reach_the_positional_embedding_of_a_cut_tower(tiny_clip: ClipLikeModel) -> None:
    tiny_clip.network.requires_grad_(True)
    tokens = tiny_clip.text.cut(tiny_clip.tokenizer(["a cat"]))
    tiny_clip.text(tokens).sum().backward()
    gradient = tiny_clip.network.positional_embedding.grad
    assert gradient[: tokens.shape[1]].abs().sum() > 0
    assert gradient[tokens.shape[1] :].abs().sum() == 0


def test_tune_modes_of_a_vision_transformer(tiny_clip: ClipLikeModel) -> None:
    network = tiny_clip.network
    assert set(trained_parameters(network, "head")) == {"visual.proj", "text_projection"}
    norms = set(trained_parameters(network, "norm"))
    assert {"visual.ln_pre.weight", "ln_final.bias", "transformer.resblocks.1.ln_2.weight"} <= norms
    assert all("ln_" in name for name in norms)
    last = set(trained_parameters(network, "last_n", 1))
    assert "visual.transformer.resblocks.1.mlp.c_fc.weight" in last
    assert "transformer.resblocks.1.ln_1.bias" in last
    assert not any(".resblocks.0." in name for name in last)
    everything = set(trained_parameters(network, "model"))
    assert everything == {name for name, _ in network.named_parameters()} - {"logit_scale"}


def test_tune_modes_of_pouf_lite(pouf_lite: ClipLikeModel) -> None:
    network = pouf_lite.network
    assert all(name.startswith("visual.head.") for name in trained_parameters(network, "head"))
    norms = trained_parameters(network, "norm")
    assert "visual.trunk.bn1.weight" in norms
    assert any("LayerNorm" in name for name in norms)
    last = trained_parameters(network, "last_n", 1)
    assert any(name.startswith("text.transformer.encoder.layer.5.") for name in last)
    assert any(name.startswith("visual.trunk.blocks.6.") for name in last)
    assert not any(".layer.4." in name or ".blocks.5." in name for name in last)


def test_pouf_lite_is_small_and_knows_a_cat_from_a_boat(pouf_lite: ClipLikeModel) -> None:
    assert head_path().stat().st_size <= 3_000_000
    prompts = build_prompts(parse_class_names(["cat", "boat"]), ["a photo of a {}."], pouf_lite.tokenizer)
    with torch.no_grad():
        prototypes = pouf_lite.prototypes(prompts)
        features = pouf_lite.encode_images(torch.zeros(1, 3, 224, 224))
    assert prototypes.shape == (2, 384)
    assert torch.allclose(features.norm(dim=1), torch.ones(1), atol=1e-5)
    assert prototypes[0] @ prototypes[1] < 0.9


@pytest.mark.parametrize("spec", ["pouf-heavy", "open_clip:", "open_clip:ViT-B-32", "open_clip:/", "vit"])
def test_names_of_no_base_model_are_refused(spec: str) -> None:
    with pytest.raises(PoufError) as caught:
        load_base_model(spec)
    assert caught.value.code in ("unknown_base_model", "base_model_unavailable")


def test_unknown_architectures_and_weights_are_refused_by_name(tmp_path: Path) -> None:
    specs = ("open_clip:ViT-Z-99/openai", "open_clip:ViT-B-32/no-such-tag", f"open_clip:ViT-B-32/{tmp_path}/none.pt")
    for spec in specs:
        with pytest.raises(InvalidInput) as caught:
            load_base_model(spec)
        assert caught.value.code == "unknown_base_model"
    with pytest.raises(PoufError) as missing:
        load_base_model(f"open_clip:{tmp_path}")
    assert missing.value.code == "base_model_unavailable"


def test_what_has_to_come_from_a_hub_is_named_with_the_way_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    text: dict[str, Any] = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
    text["hf_tokenizer_name"] = "nobody/no-such-tokenizer"
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    configuration = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny-hf", configuration)
    torch.save(open_clip.create_model("tiny-hf", load_weights=False).state_dict(), tmp_path / "weights.pt")
    for name, source in (
        (f"tiny-hf/{tmp_path / 'weights.pt'}", "nobody/no-such-tokenizer"),
        ("ViT-S-32-alt/no", None),
        ("ViT-B-16-SigLIP/webli", "timm/ViT-B-16-SigLIP"),
    ):
        with pytest.raises(PoufError) as caught:
            load_base_model(f"open_clip:{name}")
        assert (f"`hf download {source}`" in caught.value.message) == (source is not None)


class NoTensor:
    """Something that a checkpoint may hold, and that is not unpickled."""


def test_files_without_the_weights_of_the_architecture_are_refused_in_a_line(tmp_path: Path) -> None:
    another = {"positional_embedding": torch.zeros(77, 16), "logit_scale": torch.zeros(())}
    files: dict[str, tuple[Any, str]] = {
        "of_another.pt": (another, "does not hold the weights of this architecture"),
        "of_nothing.pt": ({}, "does not hold the weights of this architecture"),
        "pickled.pt": ({"model": NoTensor()}, "never unpickled"),
    }
    for name, (content, reason) in files.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(PoufError) as refused:
            load_base_model(f"open_clip:ViT-S-32-alt/{tmp_path / name}")
        assert refused.value.code == "base_model_unavailable"
        assert reason in refused.value.message
        assert len(refused.value.message) < 600
        assert "\n" not in refused.value.message


def test_a_local_safetensors_file_loads_into_a_named_architecture(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = open_clip.create_model("ViT-S-32-alt", load_weights=False)
    path = tmp_path / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    model = load_base_model(f"open_clip:ViT-S-32-alt/{path}")
    assert model.sha256 == weights_hash(network.state_dict())
    assert model.image_size == 224


def test_a_model_directory_loads_with_its_own_preprocessing(tiny_clip: ClipLikeModel) -> None:
    assert tiny_clip.image_size == 32
    assert tiny_clip.image_mean == (0.5, 0.5, 0.5)
    assert tiny_clip.description.family == "open_clip"


def test_descriptions_need_no_loading() -> None:
    assert describe("pouf-lite").embedded
    assert describe("open_clip:ViT-B-16/openai").modality == "image"


def test_a_pool_loads_each_model_once(tiny_clip_directory: Path) -> None:
    pool = BaseModelPool()
    spec = f"open_clip:{tiny_clip_directory}"
    assert pool.get(spec) is pool.get(spec)
    assert pool.loaded() == [spec]
