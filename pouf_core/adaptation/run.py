"""One adaptation from data to artifact."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from pouf_core.adaptation.abstention import estimate_abstention
from pouf_core.adaptation.base_loading import own_base_model
from pouf_core.adaptation.baselines import run_baseline
from pouf_core.adaptation.checkpoint import read_newest_checkpoint
from pouf_core.adaptation.closed_form import fit_closed_form, may_train_instead
from pouf_core.adaptation.embeddings import (
    TargetData,
    base_over_embeddings,
    collect_with_labels,
    given_classes,
    holds_embeddings,
    modality_of_data,
)
from pouf_core.adaptation.engine import offered_engine
from pouf_core.adaptation.evaluation import evaluate
from pouf_core.adaptation.export import build_artifact
from pouf_core.adaptation.inputs import RunInputs
from pouf_core.adaptation.judging import judge, with_estimated_gain
from pouf_core.adaptation.loop import CheckpointPolicy
from pouf_core.adaptation.options import RunOptions
from pouf_core.adaptation.outcome import Outcome
from pouf_core.adaptation.parallel import help_training
from pouf_core.adaptation.predicting import write_served
from pouf_core.adaptation.refinement import Refinement
from pouf_core.adaptation.reporting import Reporter, input_warnings
from pouf_core.adaptation.resolving import resolve, resolve_baseline
from pouf_core.adaptation.tuning import tune_base_model
from pouf_core.adaptation.zero_shot import ZeroShot, zero_shot_classifier
from pouf_core.artifact import refuse_taken, save_artifact
from pouf_core.contract.method import MethodSpec, Resolved, ResolvedMethod
from pouf_core.contract.presets import REFINED, REFINEMENTS
from pouf_core.contract.progress import Progress, Stage
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import AdaptationResult
from pouf_core.contract.tune_modes import TUNE_MODES
from pouf_core.data.items import are_pairs, fingerprint
from pouf_core.families.interface import BaseModel, PromptedModel
from pouf_core.families.registry import describe
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.system.runtime import choose_device, deterministic_algorithms, use_threads
from pouf_core.validation.gain import is_served
from pouf_core.validation.thresholds import Thresholds


def run(request: AdaptationRequest, data: TargetData, options: RunOptions | None = None) -> AdaptationResult:
    """Adapt a base model to unlabelled target data (arXiv 2305.00350).

    Args:
        request: what is asked for.
        data: for a model of pictures, a folder or archive, paths or PIL images; for one of texts, the path of a file of
            texts (see `pouf_core.data.text_files.read_texts`) or of a folder or archive of them, or a list in which a
            string is a text, a `pouf_core.data.texts.TextItem` a text or a pair of them, and a `Path` such a file. Or
            embeddings, an array [n, d], with `options.class_features` for base model `features`; a CLIP-like model or
            sentence encoder makes the class features itself.
        options: where and how it runs.

    Raises:
        ArtifactError: `artifact_exists` where `options.out` is taken.
        InvalidInput: the request or the data cannot be used.
        AdaptationStopped: `should_stop` gave a reason.
        OutOfMemory: memory ran out at the smallest micro-batch.
        PoufError: the base model cannot be loaded.
    """
    options = options or RunOptions()
    if options.out is not None:
        refuse_taken(options.out)
    started = time.monotonic()
    device = choose_device(options.device)
    with deterministic_algorithms(_is_deterministic(options, device)):
        return _Run(request, data, options, device).result(started)


def help_with(request: AdaptationRequest, data: TargetData, options: RunOptions) -> None:
    """Be a helper of a process that runs this adaptation; called within `process_group`, by every rank but 0.

    Args:
        request, data: as that process has them.
        options: as for `run`; what concerns results is not used.

    Raises:
        InvalidInput, PoufError: as `run`, and where that process has other items.
    """
    device = choose_device(options.device)
    with deterministic_algorithms(_is_deterministic(options, device)):
        _Run(request, data, options, device).help()


def _is_deterministic(options: RunOptions, device: torch.device) -> bool:
    return device.type == "cpu" if options.deterministic is None else options.deterministic


class _Run:
    """One run: its parts in order."""

    def __init__(self, request: AdaptationRequest, data: TargetData, options: RunOptions, device: torch.device) -> None:
        self._options = options
        self._device = device
        self._loaded = options.loaded_base
        request = request if self._loaded else request.for_modality(modality_of_data(data))
        description = self._loaded.description if self._loaded else describe(request.base_model)
        if holds_embeddings(data):
            description = description.over_embeddings()
        checked = request.check(description)
        found = collect_with_labels(data, description.modality, options.reading, options.labels)
        items, self._labels = found.items, options.evaluation_labels or found.labelling.single
        self._warnings = [*options.data_warnings, *input_warnings(found, checked)]
        self._classes = given_classes(options.class_features, checked, items)
        if description.modality == "text":
            checked.wording.check_texts(description, are_pairs(items))
        reporter = Reporter(options.on_progress, options.should_stop)
        self._inputs = RunInputs(
            checked, items, options.feature_cache or FeatureCache(), reporter, device, options.helpers
        )
        self._threads = use_threads(options.threads)

    def result(self, started: float) -> AdaptationResult:
        """Run it; `started` is when, by the monotonic clock."""
        inputs, reporter = self._inputs, self._inputs.reporter
        for warning in self._warnings:
            reporter.warn("loading_base", warning)
        base, model = self._load()
        zero_shot = zero_shot_classifier(model, inputs)
        # Everything where accuracy is wanted, else what judging takes.
        outcome_count = len(inputs.items) if self._labels else zero_shot.judged_count
        outcome = with_estimated_gain(inputs, zero_shot, self._outcome(base, model, zero_shot, outcome_count))
        verdict = judge(inputs, zero_shot, outcome)
        outcome, abstention = estimate_abstention(inputs, zero_shot, outcome, verdict.served)
        evaluation, no_evaluation = evaluate(inputs, self._labels, zero_shot.classes, outcome.predicted.classes)
        reporter.stage("evaluating", outcome_count, outcome_count)
        reporter.stage("exporting", 0, 1)
        write_served(self._options.predictions_dir, inputs, zero_shot, outcome, abstention, verdict.served)
        found = AdaptationResult(
            modality=base.description.modality,
            method=outcome.method,
            metrics=outcome.metrics,
            evaluation=evaluation,
            no_evaluation=no_evaluation,
            warnings=reporter.warnings,
            verdict=verdict.verdict,
            verdict_reasons=verdict.reasons,
            estimated_gain=outcome.estimated_gain,
            abstention=abstention,
            fallback=verdict.fallback,
            selected_step=outcome.selected_step,
            activation_used=base.description.activation_used,
            engine=zero_shot.engine,
            timings=reporter.timings,
            seconds=time.monotonic() - started,
        )
        directory = self._options.out or Path(tempfile.mkdtemp(prefix="pouf-")) / "model"
        save_artifact(directory, build_artifact(inputs, base, model, zero_shot, outcome, verdict, found))
        reporter.stage("exporting", 1, 1)
        return found.at(directory, time.monotonic() - started)

    def help(self) -> None:
        """Train for the process that leads until that ends."""
        _, model = self._load()
        help_training(model, self._inputs)

    def _load(self) -> tuple[BaseModel, PromptedModel[Any]]:
        reporter = self._inputs.reporter
        reporter.stage("loading_base", 0, 1)
        request = self._inputs.request
        base = own_base_model(request, self._loaded, self._device, reporter, given=self._options.gives_base)
        base.offer_engine(offered_engine(self._options, request, len(self._inputs.items)))
        if request.base.kind == "embedding":
            base = base_over_embeddings(base, self._classes, self._inputs, self._device)
        model = base.prompted(request)
        reporter.stage("loading_base", 1, 1)
        return base, model

    def _outcome(self, base: BaseModel, model: PromptedModel[Any], zero_shot: ZeroShot, count: int) -> Outcome:
        """The classifier that the method gives, and what it says of the first `count` items."""
        spec = self._inputs.request.method
        if spec.type != "pouf":
            zero_shot.look_twice()
            baseline = resolve_baseline(spec, zero_shot.marginal.cpu(), device=self._device, threads=self._threads)
            self._inputs.reporter.announce(baseline)
            return run_baseline(zero_shot, baseline, self._inputs.reporter, count)
        fits_closed_forms = TUNE_MODES[spec.tune].learner == "closed_form"
        if fits_closed_forms:
            closed_form = fit_closed_form(self._inputs, zero_shot, self._device, self._threads, count)
            refined = self._refined(base, model, zero_shot, closed_form, count)
            if refined is not None:
                return refined
            if not self._trains_instead(closed_form):
                tried = len(closed_form.method.candidates) if closed_form.method.type == "closed-form" else 0
                if self._inputs.request.quality == "best":  # whose steps may have been counted already
                    tried = max(tried, REFINEMENTS[base.description.kind].max_steps)
                self._announce(closed_form.method, "training", tried, tried)
                return closed_form
            spec = spec.model_copy(update={"tune": "prototypes"})
        resolved, checkpoints = self._settled(spec, base, model, zero_shot)
        if fits_closed_forms:
            self._announce(resolved, "training", 0, resolved.max_steps)
        else:
            self._inputs.reporter.announce(resolved)
        return tune_base_model(
            self._inputs,
            model,
            zero_shot,
            resolved,
            thresholds=Thresholds(base.description.kind, resolved.tune),
            outcome_count=count,
            checkpoints=checkpoints,
        )

    def _refined(
        self, base: BaseModel, model: PromptedModel[Any], zero_shot: ZeroShot, closed_form: Outcome, count: int
    ) -> Outcome | None:
        """What quality `best` makes of a closed form; None where it was not asked for, or is not to be trusted."""
        inputs, kind = self._inputs, base.description.kind
        if inputs.request.quality != "best":
            return None
        refinement = Refinement(inputs, model, zero_shot, closed_form, Thresholds(kind, REFINED))
        if refinement.refused():
            return None
        spec = inputs.request.method.model_copy(update={"tune": REFINED})
        resolved, checkpoints = self._settled(spec, base, model, zero_shot, refines=True)
        self._announce(resolved, "training", 0, resolved.max_steps)
        return refinement.run(resolved, checkpoints, count)

    def _trains_instead(self, closed_form: Outcome) -> bool:
        """Whether tune `auto` goes on to POUF: where it may, and no closed form is likely to gain."""
        gain = closed_form.estimated_gain
        return may_train_instead(self._inputs.request) and (gain is None or not is_served(gain))

    def _settled(
        self, spec: MethodSpec, base: BaseModel, model: PromptedModel[Any], zero_shot: ZeroShot, refines: bool = False
    ) -> tuple[ResolvedMethod, CheckpointPolicy]:
        """The method in numbers of what is trained next, as an interrupted run resolved it where there was one, and
        where its checkpoints are: those of quality `best` lie apart, since training for `fast` may follow."""
        zero_shot.look_twice()
        directory, seconds, kind = self._options.checkpoint_dir, self._options.checkpoint_seconds, base.description.kind
        if refines and directory is not None:
            directory = directory / "best"
        resolved = resolve(
            spec,
            zero_shot.marginal.cpu(),
            item_count=len(self._inputs.items),
            kind=kind,
            context_scale=model.context_scale,
            device=self._device,
            threads=self._threads,
            micro_batch_size=self._options.micro_batch_size,
            preset=REFINEMENTS[kind] if refines else None,
        )
        activation, data = base.description.activation_used, fingerprint(self._inputs.items)
        identity = self._inputs.request.identity(data, base.sha256, resolved, activation)
        newest = read_newest_checkpoint(directory, identity) if directory else None
        if newest is not None:
            resolved = ResolvedMethod(**newest.method | {"micro_batch_size": resolved.micro_batch_size})
        return resolved, CheckpointPolicy(directory, seconds, identity, newest)

    def _announce(self, method: Resolved, stage: Stage, done: int, total: int) -> None:
        """Tell the resolved method, without leaving the stage that it became known in."""
        self._inputs.reporter.send(Progress(stage=stage, step=done, total_steps=total, method=method))
