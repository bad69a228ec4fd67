"""The recipe that the benchmark sets beside ours is the paper's, and what is extrapolated is labelled so."""

from __future__ import annotations

from pathlib import Path

import adaptation
import pytest
import recipe
import torch
from safetensors.torch import load_file
from torch import Tensor

from pouf_core.contract.classes import parse_class_names
from pouf_core.data.images import decode_image
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.prompts import build_prompts
from tests.pouf_core.conftest import CLASS_NAMES, TINY_CLIP, picture_paths, tiny_clip, tiny_clip_directory
from tests.reference.recipe import Recipe as Reference
from tests.reference.recipe import tune_model, tune_prompt

__all__ = ["picture_paths", "tiny_clip", "tiny_clip_directory"]  # fixtures

TEMPLATE, STEPS = "a photo of a {}.", 5
HEADS = (TINY_CLIP["vision_cfg"]["width"] // 64, TINY_CLIP["text_cfg"]["heads"])
TOLERANCE = 1e-6


@pytest.mark.parametrize("tune", ["prompt", "model"])
def test_the_recipe_moves_every_parameter_as_the_reference_does(
    tiny_clip: ClipLikeModel,
    tiny_clip_directory: Path,
    picture_paths: list[Path],
    tune: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = torch.stack([tiny_clip.transform(decode_image(path)) for path in picture_paths]).double()
    monkeypatch.setattr(recipe.FreshViews, "__getitem__", lambda self, index: pixels[index])
    saved = load_file(tiny_clip_directory / "open_clip_model.safetensors")
    tokens = tiny_clip.tokenizer([TEMPLATE.replace("{}", name) for name in CLASS_NAMES])
    train = tune_prompt if tune == "prompt" else tune_model
    expected = train(saved, tokens, [pixels] * STEPS, HEADS, Reference())  # a batch holds all, in whatever order
    tiny_clip.network.double()
    before = {name: value.clone() for name, value in tiny_clip.network.state_dict().items()}
    prompts = build_prompts(parse_class_names(CLASS_NAMES), [TEMPLATE], tiny_clip.tokenizer)
    run = recipe.Recipe(tiny_clip, prompts, picture_paths, tune)  # type: ignore[arg-type]
    start = tiny_clip.initial_context(prompts)
    for _ in range(STEPS):
        run.step()
    found: dict[str, Tensor] = {name: value - before[name] for name, value in tiny_clip.network.state_dict().items()}
    if run._context is not None:
        found["context"] = run._context.detach() - start
    for name, value in expected.items():
        assert ((found[name] - value).norm() / value.norm()).item() < TOLERANCE, name


def turn(steps: int, seconds: float, accuracy: float | None) -> dict[str, object]:
    return {
        "steps": steps,
        "seconds": seconds,
        "accuracy": accuracy,
        "zero_shot_accuracy": 0.5,
        "pictures_a_step": 96,
        "peak_mib": 100.0,
    }


def test_cost_is_extrapolated_and_labelled_so_unless_all_steps_were_taken() -> None:
    some = adaptation.summary("recipe, prompt", [turn(10, 20.0, 0.51), turn(10, 40.0, 0.52)])
    assert some["seconds"] == 15_000 and some["extrapolated"]
    assert some["curve"] == [[0.0, 0.5], [20.0, 0.51], [60.0, 0.52]]
    whole = adaptation.summary("recipe, prompt", [turn(5000, 100.0, 0.55)])
    assert whole["seconds"] == 100 and not whole["extrapolated"]


def test_verdicts_compare_like_with_like(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {
        "recipe, prompt": adaptation.summary("recipe, prompt", [turn(10, 20.0, 0.51)]),
        "recipe, model": adaptation.summary("recipe, model", [turn(10, 40.0, 0.51)]),
        "ours, a step of model": adaptation.summary("ours, a step of model", [turn(10, 10.0, None)]),
        "ours, prompt": {"name": "ours, prompt", "extrapolated": False, **turn(0, 50.0, 0.54), "curve": [[50.0, 0.54]]},
        "ours, model": {"name": "ours, model", "extrapolated": False, **turn(0, 200.0, 0.58)},
        "recipe over four fixed views, prompt": {"name": "fixed", "extrapolated": False, **turn(0, 300.0, 0.53)},
    }
    claims = adaptation.verdicts(rows)
    assert claims["prompt_cost"] == pytest.approx(50 / 10_000)
    assert claims["prompt_points_over_recipe"] == pytest.approx(1)
    assert claims["model_step"] == pytest.approx(1 / 4)
    adaptation.print_table(list(rows.values()), claims)
    assert "~10,000" in capsys.readouterr().out
    adaptation.draw(list(rows.values()), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0
