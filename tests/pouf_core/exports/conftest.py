"""Adapted models of every kind that is exported, and what the library answers with them."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pouf_core
from pouf_core.contract.exports import ExportOptions
from pouf_core.data.texts import TextItem
from pouf_core.exports.card import EXAMPLE
from pouf_core.exports.export import export
from pouf_core.families.loading import BaseModelPool
from pouf_core.predictor import Predictor
from tests.pouf_core.architecture_cases import save_family
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.embeddings import clusters
from tests.pouf_core.exports.alone import run_alone
from tests.pouf_core.families.language.tiny_models import save_causal, save_masked
from tests.pouf_core.sentence_encoders import save_sentence_encoder
from tests.pouf_core.transformers_families import TRANSFORMERS

TEXTS = ["good news of the day", "a bad word", "no more", "what is this good for", "day by day the news", "bad"]
PROSE = [*TEXTS, "the movie was great it is " * 12, "no [MASK] <mask> [SEP] here", "Yes, it is   good."]
PAIRS = [TextItem(text, other) for text, other in zip(PROSE, reversed(PROSE), strict=True)]
TUNED = {"tune": "model", "preset": "paper", "max_steps": 2, "learning_rate": 0.01}
CONTEXT = {"tune": "prompt", "max_steps": 2, "learning_rate": 0.1, "selection": "last"}
#: By name, the family of a language model, how it is adapted, and to what.
LANGUAGE: dict[str, tuple[str, dict[str, Any], Sequence[Any]]] = {
    "masked": ("bert", {"method": TUNED}, PROSE),
    "masked-context": ("roberta", {"method": CONTEXT, "prompt_template": "{text} it is {mask}."}, PROSE),
    "masked-pairs": (
        "deberta-v3",
        {"method": TUNED, "prompt_template": "{text_a}? {mask}, {text_b}", "text_limits": {"text_b": 5}},
        PAIRS,
    ),
    "causal": ("gpt2", {"method": TUNED}, PROSE),
}
Make = Callable[[str], Path]


@pytest.fixture(scope="session")
def pool() -> BaseModelPool:
    return BaseModelPool()


@pytest.fixture(scope="session")
def model(
    tmp_path_factory: pytest.TempPathFactory, tiny_clip_directory: Path, picture_paths: list[Path]
) -> Callable[[str], Path]:
    """The artifact of a model by what was adapted how; each is made once."""
    folder = tmp_path_factory.mktemp("exported-models")
    made: dict[str, Path] = {}

    def pictures(name: str, base: str = f"open_clip:{tiny_clip_directory}", **method: Any) -> Path:
        return pouf_core.adapt(picture_paths, CLASS_NAMES, base_model=base, method=method, out=folder / name).path

    def texts(name: str) -> Path:
        base = f"sentence:{save_sentence_encoder(folder / 'sentences')}"
        method = {"tune": "head", "preset": "paper", "max_steps": 2, "learning_rate": 0.1}
        return pouf_core.adapt(TEXTS, ["news", "words"], base_model=base, method=method, out=folder / name).path

    def of_language(name: str) -> Path:
        family, options, items = LANGUAGE[name]
        causal = family == "gpt2"
        saved = (save_causal if causal else save_masked)(family, folder / "bases" / name)
        base = f"{'hf-causal' if causal else 'hf-mlm'}:{saved}"
        words = {"news": ["good", "great"], "words": "bad"}
        return pouf_core.adapt(
            items, ["news", "words"], base_model=base, label_words=words, out=folder / name, **options
        ).path

    def embeddings(name: str) -> Path:
        data = clusters(count=80, classes=4)
        return pouf_core.adapt_features(data.features, data.class_features, out=folder / name).path

    def of_transformers(name: str) -> Path:
        return pictures(name, f"hf-align:{save_family(TRANSFORMERS[name], folder / 'bases' / name)}", **tuned)

    tuned = {"tune": "model", "preset": "paper", "max_steps": 2, "learning_rate": 0.01}
    steps = {"max_steps": 2, "learning_rate": 0.01, "selection": "last"}
    kinds: dict[str, Callable[[str], Path]] = {
        "prompt": lambda name: pictures(name, tune="prompt", **steps),
        "closed-form": lambda name: pictures(name, tune="gaussian"),
        "model": lambda name: pictures(name, **tuned),
        "pouf-lite": lambda name: pictures(name, "pouf-lite", tune="gaussian"),
        **dict.fromkeys(TRANSFORMERS, of_transformers),
        **dict.fromkeys(LANGUAGE, of_language),
        "texts": texts,
        "embeddings": embeddings,
    }

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = kinds[kind](kind)
        return made[kind]

    return make


@pytest.fixture
def exported(model: Make, tmp_path: Path) -> Callable[..., Path]:
    """Exports a model of some kind."""

    def make(kind: str, wanted: str, **options: Any) -> Path:
        settings = ExportOptions(format=wanted, variant="adapted", **options)
        return export(model(kind), tmp_path / f"{kind}-{wanted}", settings)

    return make


@pytest.fixture
def predictor(model: Make, pool: BaseModelPool) -> Callable[[str], Predictor]:
    return lambda kind: pouf_core.load(model(kind), base_models=pool)


@pytest.fixture
def answers_alone(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """What the export's own script prints in a process that cannot import this project."""

    def run(directory: Path, items: Sequence[Any], **options: Any) -> list[dict[str, Any]]:
        return run_alone(directory / EXAMPLE, *_arguments(items, tmp_path), folder=tmp_path, **options)

    return run


@pytest.fixture
def answers_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    """What the script prints in this process, which has imported what takes the script seconds to import."""

    def run(directory: Path, items: Sequence[Any]) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.argv", [EXAMPLE, *_arguments(items, tmp_path)])
        capsys.readouterr()
        runpy.run_path(str(directory / EXAMPLE), run_name="__main__")
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def _arguments(items: Sequence[Any], folder: Path) -> list[str]:
    if not isinstance(items, np.ndarray):
        pairs = ([item.text, item.text_pair] if isinstance(item, TextItem) else [item] for item in items)
        return [str(each) for pair in pairs for each in pair]
    np.save(folder / "features.npy", items)
    return [str(folder / "features.npy")]
