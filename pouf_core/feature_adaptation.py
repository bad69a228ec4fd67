"""Adaptation to a caller's own embeddings in one call, with what is served for every row of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pouf_core.adaptation.options import RunOptions
from pouf_core.adaptation.run import run
from pouf_core.contract.abstention import WISHED_ACCURACY, Threshold, check_threshold
from pouf_core.contract.classes import ClassName, listed_classes
from pouf_core.contract.logit_scales import DEFAULT_LOGIT_SCALE
from pouf_core.contract.method import MethodSpec
from pouf_core.contract.progress import OnProgress
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import AdaptationResult
from pouf_core.data.class_features import class_feature_vectors
from pouf_core.data.embeddings import collect_embeddings
from pouf_core.families.features import FEATURES
from pouf_core.predictor import Features, load


def adapt_features(
    features: Features,
    class_features: Features,
    class_names: Sequence[str | Mapping[str, object] | ClassName] | None = None,
    *,
    logit_scale: float = DEFAULT_LOGIT_SCALE,
    method: MethodSpec | Mapping[str, Any] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    threshold: Threshold | None = None,
    wished_accuracy: float = WISHED_ACCURACY,
    device: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress | None = None,
) -> AdaptationResult:
    """Adapt class features to unlabelled embeddings, both made by one model, and classify the embeddings.

    Args:
        features: [n, d] embeddings as numpy array or torch tensor, of any length and number type.
        class_features: [K, d], the embedding of each class's prompt; or [T, K, d] for T prompts a class, which are
            normalised and averaged.
        class_names: K names; "class 0", "class 1", ... by default.
        logit_scale: what the model multiplies cosines by, above 0, at most 1000; CLIP's is 100.
        method: what to train and how, see `MethodSpec`.
        seed: the same seed on the same machine with the same threads gives the same weights.
        out: directory for the artifact, which `pouf_core.load` reads; a new temporary one by default.
        threshold, wished_accuracy: rows whose largest class probability is below the threshold get no class, here and
            from the loaded model; see `AdaptationRequest`. None gives every row one.
        device, threads, on_progress: see `RunOptions`.

    Returns:
        A result whose `predictions` (int64 [n], in the order of the rows) are what is served, the verdict's fallback
        included; -1 for no class, which only a threshold gives.

    Raises:
        InvalidInput: `embedding_shape`, `embedding_zero` or `embedding_not_finite` at `/features/<row>` or
            `/class_features/<row>`; `class_features_count`, `class_features_width`; `invalid_threshold`; or the
            request cannot be used.
        OutOfMemory: memory ran out at the smallest micro-batch.
    """
    check_threshold(threshold)
    found = collect_embeddings(features, every_row=True)
    if class_names is None:
        class_names = [f"class {index}" for index in range(len(class_feature_vectors(class_features)))]
    settings: dict[str, Any] = {"logit_scale": logit_scale, "method": method, "seed": seed}
    settings |= {"threshold": threshold, "wished_accuracy": wished_accuracy}
    request = AdaptationRequest.of(base_model=FEATURES.name, class_names=listed_classes(class_names), **settings)
    options = RunOptions(
        out=None if out is None else Path(out),
        device=device,
        threads=threads,
        class_features=class_features,
        on_progress=on_progress or (lambda _: None),
    )
    result = run(request, found.items, options)
    served = load(result.path, device=device).label_indices(found.items.features)
    return result.with_predictions(served[found.item_of_row])
