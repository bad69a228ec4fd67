"""One adaptation in one call, by plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from pouf_core.adaptation.embeddings import TargetData
from pouf_core.adaptation.options import OptionKeywords, RunOptions
from pouf_core.adaptation.run import run
from pouf_core.contract.abstention import WISHED_ACCURACY, Threshold
from pouf_core.contract.activation import ActivationChoice
from pouf_core.contract.base_model import BY_MODALITY
from pouf_core.contract.classes import ClassName, listed_classes
from pouf_core.contract.label_words import LabelWords
from pouf_core.contract.method import MethodSpec
from pouf_core.contract.progress import OnProgress, ShouldStop
from pouf_core.contract.request import AdaptationRequest, Quality
from pouf_core.contract.result import AdaptationResult
from pouf_core.families.interface import BaseModel


def adapt(
    data: TargetData,
    class_names: Sequence[str | Mapping[str, object] | ClassName],
    *,
    base_model: str | BaseModel = BY_MODALITY,
    activation: ActivationChoice = "auto",
    prompt_template: str | Sequence[str] | None = None,
    label_words: LabelWords | None = None,
    text_limits: Mapping[str, int] | None = None,
    logit_scale: float | None = None,
    quality: Quality = "fast",
    threshold: Threshold | None = None,
    wished_accuracy: float = WISHED_ACCURACY,
    method: MethodSpec | Mapping[str, Any] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    evaluation_labels: Mapping[str, str] | None = None,
    **options: Unpack[OptionKeywords],
) -> AdaptationResult:
    """`run` in one call.

    Args:
        data: as for `run`.
        class_names: at least two names, or `{"name", "prompt"}`.
        base_model: a name, see `pouf_core.families`; `auto`, see `modality_of_data`; or a loaded model, which stays.
        method: what to train and how; see `MethodSpec`.
        seed: the same seed on the same machine with the same threads gives the same weights.
        out, on_progress, should_stop, evaluation_labels: see `RunOptions`.
        options: the other fields of `RunOptions`, see `OptionKeywords`. All else is of `AdaptationRequest`.

    Raises:
        InvalidInput, AdaptationStopped, OutOfMemory, PoufError: as `run`.
        TypeError: an unknown option.
    """
    loaded = None if isinstance(base_model, str) else base_model
    request = AdaptationRequest.of(
        base_model=base_model if isinstance(base_model, str) else base_model.description.name,
        activation=activation,
        class_names=listed_classes(class_names),
        prompt_template=None if prompt_template is None else _plain(prompt_template),
        label_words=None if label_words is None else {name: _plain(words) for name, words in label_words.items()},
        text_limits=None if text_limits is None else dict(text_limits),
        logit_scale=logit_scale,
        quality=quality,
        threshold=threshold,
        wished_accuracy=wished_accuracy,
        method=method,
        seed=seed,
    )
    run_options = RunOptions(
        out=None if out is None else Path(out),
        on_progress=on_progress or (lambda _: None),
        should_stop=should_stop or (lambda: None),
        evaluation_labels=evaluation_labels or {},
        loaded_base=loaded,
        **options,
    )
    return run(request, data, run_options)


def _plain(texts: str | Sequence[str]) -> str | list[str]:
    return texts if isinstance(texts, str) else list(texts)
