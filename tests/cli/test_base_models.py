import re

import pytest

from cli import CommandError
from cli.base_models import list_base_models
from pouf_core.contract.tune_modes import TUNE_MODES
from pouf_core.families.cosine.open_clip_loading import open_clip

ONE_OF_EACH_KIND = [
    "ViT-S-32",
    "ViT-L-14-CLIPA",
    "RN50",
    "convnext_tiny",
    "swin_base_patch4_window7_224",
    "EVA02-B-16",
    "PE-Core-T-16-384",
    "MobileCLIP2-S0",
    "MobileCLIP-B",
    "ViT-B-32-SigLIP2-256",
    "coca_ViT-B-32",
    "coca_roberta-ViT-B-32",
    "mt5-base-ViT-B-32",
    "nllb-clip-base-siglip",
]
LINE = re.compile(r"^(\S+): (?:adaptable \((.*)\)|refused: (.+))$", re.MULTILINE)


def decisions(text: str) -> dict[str, tuple[str, str]]:
    return {name: (modes, reason) for name, modes, reason in LINE.findall(text)}


def check(names: list[str], printed: str) -> None:
    """Every model has a line; refused is only what lacks a Hugging Face configuration, whose name is given."""
    found = decisions(printed)
    assert set(names) <= set(found)
    for name in names:
        modes, reason = found[name]
        tower = open_clip.get_model_config(name)["text_cfg"].get("hf_model_name")
        if tower:
            wanted = f"its text tower needs the Hugging Face configuration {tower!r}, which is not on this machine"
            assert reason == wanted
        else:
            assert modes == ", ".join(TUNE_MODES), reason


@pytest.fixture(autouse=True)
def without_cached_hub_files(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """The answer for Hugging Face towers must not depend on what this machine has fetched before."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.slow
def test_one_architecture_of_each_kind_is_decided(capsys):
    list_base_models(ONE_OF_EACH_KIND)
    printed = capsys.readouterr().out
    check(ONE_OF_EACH_KIND, printed)
    assert f"11 of {len(ONE_OF_EACH_KIND)} open_clip architectures are adaptable, 3 refused." in printed


@pytest.mark.slow
def test_every_architecture_is_adaptable_or_refused_with_a_reason(capsys):
    list_base_models([])
    printed = capsys.readouterr().out
    check(open_clip.list_models(), printed)
    assert (
        "pouf-lite: adaptable (auto, calibrate, gaussian, propagate, prompt, prototypes, head, last_n, norm, model)"
        in printed
    )
    assert "134 of 144 open_clip architectures are adaptable, 10 refused." in printed


def test_an_unknown_architecture_is_reported():
    with pytest.raises(CommandError, match="ViT-Z-99"):
        list_base_models(["ViT-Z-99"])
