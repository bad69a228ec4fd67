"""One adaptation from data to artifact."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pouf_core.adaptation.baselines import run_baseline
from pouf_core.adaptation.checkpoint import read_newest_checkpoint
from pouf_core.adaptation.evaluation import evaluate
from pouf_core.adaptation.export import build_artifact
from pouf_core.adaptation.features import FeatureCache
from pouf_core.adaptation.loop import CheckpointPolicy
from pouf_core.adaptation.reporting import Reporter
from pouf_core.adaptation.request import Request, check_request
from pouf_core.adaptation.resolving import resolve, resolve_baseline
from pouf_core.adaptation.tuning import tune_base_model
from pouf_core.adaptation.zero_shot import zero_shot_classifier
from pouf_core.artifact import save_artifact
from pouf_core.contract.classes import ClassName
from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.label_words import LabelWords
from pouf_core.contract.method import MethodSpec, ResolvedBaseline, ResolvedMethod
from pouf_core.contract.progress import OnProgress, Progress, ShouldStop
from pouf_core.contract.result import AdaptationResult
from pouf_core.data.items import Data, Rejected
from pouf_core.families.catalogue import describe
from pouf_core.families.loading import BaseModel, load_base_model
from pouf_core.families.prompting import prompted_model
from pouf_core.system.runtime import choose_device, reproducible, use_threads
from pouf_core.validation.measurements import given_prior, measure_change
from pouf_core.validation.thresholds import thresholds_for
from pouf_core.validation.verdict import verdict_on, warnings_of

CHECKPOINT_SECONDS = 15.0


@reproducible
def adapt(
    data: Data,
    class_names: Sequence[str | Mapping[str, object] | ClassName],
    *,
    base_model: str | BaseModel = "pouf-lite",
    prompt_template: str | Sequence[str] | None = None,
    label_words: LabelWords | None = None,
    text_limits: Mapping[str, int] | None = None,
    text_column: str | None = None,
    method: MethodSpec | Mapping[str, Any] | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    on_progress: OnProgress | None = None,
    device: str = "auto",
    threads: int | None = None,
    deterministic: bool | None = None,
    micro_batch_size: int | None = None,
    checkpoint_dir: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    should_stop: ShouldStop | None = None,
    evaluation_labels: Mapping[str, str] | None = None,
    feature_cache: FeatureCache | None = None,
) -> AdaptationResult:
    """Adapt a base model to unlabelled target data (arXiv 2305.00350).

    Args:
        data: for a model of pictures, a folder, paths or PIL images; for one of texts, the path of a file of texts
            (`.txt`, `.csv`, `.jsonl`, `.json`) or of a folder of them, or a list in which a string is a text, a
            `pouf_core.data.texts.TextItem` a text or a pair of them, and a `Path` such a file.
        class_names: at least two names, or `{"name", "prompt"}`.
        base_model: a name that `pouf_core.families.catalogue.describe` knows, or a loaded model, which stays as it is.
        prompt_template: one template with `{}`, or several for an ensemble; for a language model one with `{text}`,
            or `{text_a}` and `{text_b}`, and `{mask}`. None for the base model's own.
        label_words: for a language model, class name to the word, or words, that stand for the class at the mask; a
            class without an entry is its own label word.
        text_limits: for a language model, tokens of a text that are read at most, by `text`, `text_a`, `text_b`.
        text_column: of files of texts, the column or field with the text; None for `text`, or the only one with texts.
        method: what to train and how; see `MethodSpec`.
        seed: the same seed on the same machine with the same threads gives the same weights.
        out: directory for the artifact; a new temporary one by default.
        on_progress: told about every micro-batch.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads; None leaves torch's setting.
        deterministic: use deterministic algorithms only; None does so on a CPU, where it costs a few per cent at most,
            and not on a GPU, where an operation without one is an error.
        micro_batch_size: items encoded at once; results are the same up to rounding.
        checkpoint_dir: where checkpoints are kept and looked for.
        checkpoint_seconds: least time between checkpoints.
        should_stop: asked at step boundaries; returning a reason stops the run.
        evaluation_labels: content hash to label; only ever used to report `evaluation`.
        feature_cache: features that earlier runs over the same pictures have left, and room for this run's.

    Raises:
        InvalidInput: the request or the data cannot be used.
        AdaptationStopped: `should_stop` gave a reason.
        OutOfMemory: memory ran out at the smallest micro-batch.
        PoufError: the base model cannot be loaded.
    """
    started = time.monotonic()
    reporter = Reporter(on_progress or (lambda _: None), should_stop or (lambda: None))
    cache = feature_cache or FeatureCache()
    description = describe(base_model) if isinstance(base_model, str) else base_model.description
    request = check_request(
        data, class_names, prompt_template, method, seed, description, label_words, text_limits, text_column
    )
    torch_device = choose_device(device)
    thread_count = use_threads(threads)
    if request.rejected:
        reporter.warn("loading_base", _rejected_warning(request.rejected))

    reporter.stage("loading_base", 0, 1)
    base = load_base_model(base_model, torch_device) if isinstance(base_model, str) else base_model.copy()
    model = prompted_model(base, request)
    reporter.stage("loading_base", 1, 1)
    zero_shot = zero_shot_classifier(model, request, cache, reporter)
    labels = evaluation_labels or {}
    # Everything where accuracy is wanted, else what judging takes.
    outcome_count = len(request.items) if labels else zero_shot.judged_count
    probabilities = zero_shot.logits.softmax(dim=1).cpu()
    if request.spec.type == "pouf":
        resolved = resolve(
            request.spec,
            probabilities,
            family=description.preset_family,
            context_scale=model.context_scale,
            device=torch_device,
            threads=thread_count,
            micro_batch_size=micro_batch_size,
        )
        identity = request.identity(base.sha256, resolved)
        begun = read_newest_checkpoint(checkpoint_dir, identity) if checkpoint_dir else None
        if begun is not None:
            resolved = ResolvedMethod(**begun.method | {"micro_batch_size": resolved.micro_batch_size})
        _announce(request, resolved, reporter)
        outcome = tune_base_model(
            request,
            model,
            model.learner(resolved),
            zero_shot,
            resolved,
            thresholds=thresholds_for(description.preset_family, resolved.tune),
            outcome_count=outcome_count,
            checkpoints=CheckpointPolicy(checkpoint_dir, checkpoint_seconds, identity, begun),
            cache=cache,
            reporter=reporter,
        )
    else:
        baseline = resolve_baseline(request.spec, probabilities, device=torch_device, threads=thread_count)
        _announce(request, baseline, reporter)
        outcome = run_baseline(zero_shot, baseline, reporter)

    adapted = outcome.logits[: zero_shot.judged_count].softmax(dim=1)
    change = measure_change(zero_shot.views, adapted, given_prior(outcome.method))
    names = [item.name for item in request.classes]
    thresholds = thresholds_for(description.preset_family, outcome.method.tune)
    verdict = verdict_on(outcome.method, outcome.selected_step, zero_shot.structure, change, names, thresholds)
    for warning in warnings_of(verdict, request.classes, zero_shot.classifier.prototypes, thresholds):
        reporter.warn("evaluating", warning)
    evaluation = evaluate(request.items, labels, request.classes, zero_shot.logits, outcome.logits)
    reporter.stage("evaluating", outcome_count, outcome_count)
    reporter.stage("exporting", 0, 1)
    artifact = build_artifact(request, base, model, zero_shot, outcome, verdict, evaluation, reporter.warnings)
    directory = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="pouf-")) / "model"
    save_artifact(directory, artifact)
    reporter.stage("exporting", 1, 1)
    return AdaptationResult(
        method=outcome.method,
        metrics=outcome.metrics,
        evaluation=evaluation,
        warnings=reporter.warnings,
        verdict=verdict.verdict,
        verdict_reasons=verdict.reasons,
        fallback=verdict.fallback,
        selected_step=outcome.selected_step,
        seconds=time.monotonic() - started,
    ).at(directory)


def _announce(request: Request, method: ResolvedMethod | ResolvedBaseline, reporter: Reporter) -> None:
    count = len(request.items)
    reporter.send(Progress(stage="encoding", step=count, total_steps=count, method=method))


def _rejected_warning(rejected: Sequence[Rejected]) -> Finding:
    first = rejected[0]
    message = f"{len(rejected)} of the files could not be used, {Path(first.name).name} for one: {first.message}"
    return finding("items_rejected", message)
