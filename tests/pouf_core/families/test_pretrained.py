"""What is said of checkpoints that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pouf_core.errors import PoufError
from pouf_core.families.loading import load_base_model
from tests.pouf_core.families.language.tiny_models import save_masked


@pytest.mark.parametrize("family", ["hf-align", "hf-mlm", "hf-causal"])
def test_a_model_that_is_not_in_the_cache_is_named_with_the_way_to_bring_it(family: str) -> None:
    with pytest.raises(PoufError) as caught:
        load_base_model(f"{family}:nobody/none")
    assert caught.value.code == "base_model_unavailable"
    assert "`hf download nobody/none`" in caught.value.message
    assert f"{family}:/models/mine" in caught.value.message
    assert "\n" not in caught.value.message
    assert "internet connection" not in caught.value.message


def test_a_directory_without_a_configuration_is_told_what_to_hold(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").touch()
    with pytest.raises(PoufError, match=r"has no config\.json: give a directory"):
        load_base_model(f"hf-align:{tmp_path}")


def test_an_architecture_that_transformers_does_not_know_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "not-yet-known"}')
    with pytest.raises(PoufError, match="not-yet-known") as caught:
        load_base_model(f"hf-align:{tmp_path}")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("file", "content"),
    [
        pytest.param("model.safetensors", b"\xff" * 64, id="a header that is too long"),
        pytest.param("model.safetensors", (2).to_bytes(8, "little") + b"[]", id="a header of something else"),
        pytest.param("config.json", json.dumps({"model_type": "bert", "hidden_size": []}).encode(), id="no number"),
        pytest.param("tokenizer.json", b"[]", id="no tokenizer"),
    ],
)
def test_a_checkpoint_that_holds_something_else_cannot_be_loaded(tmp_path: Path, file: str, content: bytes) -> None:
    directory = Path(save_masked("bert", tmp_path / "bert"))
    (directory / file).write_bytes(content)
    with pytest.raises(PoufError) as caught:
        load_base_model(f"hf-mlm:{directory}")
    assert caught.value.code == "base_model_unavailable"
