"""Where no gain is sure enough zero-shot is served, unless the method says never, as preset `paper` does."""

from __future__ import annotations

from pathlib import Path

import pytest

import pouf_core
from pouf_core.artifact import load_artifact
from tests.pouf_core.conftest import CLASS_NAMES

METHOD = {"tune": "prompt", "max_steps": 2, "batch_size": 12, "learning_rate": 0.5, "selection": "last"}


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        ({"preset": "paper"}, "never"),
        ({"preset": "paper", "fallback": "verdict"}, "verdict"),
        ({}, "verdict"),
        ({"fallback": "never"}, "never"),
    ],
)
def test_the_verdict_is_reported_whatever_is_served(
    tiny_clip_directory: Path,
    picture_paths: list[Path],
    tmp_path: Path,
    method: dict[str, str],
    rule: str,
) -> None:
    result = pouf_core.adapt(
        picture_paths,
        CLASS_NAMES,
        base_model=f"open_clip:{tiny_clip_directory}",
        method={**METHOD, **method},
        out=tmp_path / "model",
    )
    assert result.verdict != "improved"
    assert [reason.code for reason in result.verdict_reasons] == ["gain_not_sure"]
    served = "zero_shot" if rule == "verdict" else None
    assert (result.method.fallback, result.fallback) == (rule, served)
    manifest = load_artifact(result.path).manifest
    assert (manifest.verdict, manifest.fallback) == (result.verdict, served)
