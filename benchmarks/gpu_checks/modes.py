"""Every tune mode trains, saves a model that loads, and predicts."""

from __future__ import annotations

import itertools
import shutil
import time
from typing import Any

import pouf_core
from gpu_checks.setting import CLASS_NAMES, Setting, finite, require
from pouf_core.contract.tune_modes import ModelKind, Tune, tune_modes_of

TEXTS = [
    f"{opinion} {thing} number {number}"
    for number, (opinion, thing) in enumerate(itertools.product(("a good", "a bad", "a dull"), ("film", "book") * 4))
]
TEXT_CLASSES = ["praise", "complaint"]
EMBEDDED: dict[str, ModelKind] = {"pouf-lite": "image", "minilm": "text", "minilm-mlm": "language"}
REDUCED: dict[str, tuple[Tune, ...]] = {"pouf-lite": ("prototypes",), "minilm": ("head",), "minilm-mlm": ("norm",)}
"""The modes of embedded models that are run without a GPU."""


def random_model(setting: Setting) -> dict[str, Any]:
    """All modes of the random CLIP, and quality `best`."""
    figures = {tune: adapted(setting, setting.model_name, "image", tune) for tune in tune_modes_of("image")}
    return {**figures, "quality best": adapted(setting, setting.model_name, "image", "auto", quality="best")}


def embedded_models(setting: Setting) -> dict[str, Any]:
    """The modes of the embedded models; some of them without a GPU."""
    figures = {}
    for name, kind in EMBEDDED.items():
        for tune in tune_modes_of(kind) if setting.form == "full" else REDUCED[name]:
            figures[f"{name} {tune}"] = adapted(setting, name, kind, tune)
    return figures


def adapted(setting: Setting, base_model: str, kind: ModelKind, tune: Tune, **options: Any) -> dict[str, Any]:
    """Adapt by a mode, and predict by the model that was saved."""
    sizes = setting.sizes
    data: list[Any] = list(setting.pictures[: sizes.trained]) if kind == "image" else TEXTS
    trains = tune not in ("auto", "calibrate", "gaussian", "propagate")
    method = {"tune": tune}
    if trains:
        method |= {"max_steps": sizes.steps, "batch_size": min(sizes.batch, len(data)), "selection": "last"}
    words = {"label_words": {"praise": ["good"], "complaint": ["bad"]}} if kind == "language" else {}
    names = list(CLASS_NAMES) if kind == "image" else TEXT_CLASSES
    out = setting.folder / "adapted"
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    result = pouf_core.adapt(
        data, names, base_model=base_model, method=method, device=str(setting.device), out=out, **words, **options
    )
    seconds = time.perf_counter() - started
    losses = [row["loss"] for row in result.metrics]
    require(finite(losses), f"{base_model} {tune}: a loss is not finite: {losses}")
    require(not trains or len(losses) == sizes.steps, f"{base_model} {tune}: {len(losses)} steps in {sizes.steps}")
    ran_on = str(result.method["device"])
    require(ran_on.startswith(setting.device.type), f"{base_model} {tune}: ran on {ran_on}")
    predictor = pouf_core.load(result.path, device=str(setting.device))
    answers = predictor.predict(data[:8], variant="adapted")
    require(all(answer.label in names for answer in answers), f"{base_model} {tune}: a prediction has no label")
    return {"seconds": seconds, "losses": losses, "precision": result.method["precision"]}
