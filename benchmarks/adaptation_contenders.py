"""What `adaptation.py` sets side by side; each runs in a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from clipart import CLIPART, load_pictures
from measuring import peak_mib
from recipe import BATCH, Recipe
from torch import Tensor

import pouf_core
from pouf_core.adaptation.features import ComputedFeatures
from pouf_core.adaptation.feeding import encoded_parts
from pouf_core.adaptation.optimisation import build_optimizer
from pouf_core.adaptation.resolving import resolve
from pouf_core.adaptation.sampling import BatchSampler
from pouf_core.adaptation.step import BatchGradient
from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.method import MethodSpec
from pouf_core.contract.progress import Progress
from pouf_core.data.items import Item, collect_items
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.loading import load_base_model
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.system.memory import keep_freed_memory

BASE_MODEL, TEMPLATE = "pouf-lite", "a photo of a {}."


class Contender(Protocol):
    """One of those that are compared."""

    def take(self, steps: int) -> dict[str, Any]:
        """Take steps, or do everything, and tell seconds, accuracy and memory."""
        ...


class Clipart:
    """The pictures, and how accurate a model is on them."""

    def __init__(self) -> None:
        self.paths, self.truth = load_pictures(CLIPART)
        self.names = sorted(set(self.truth))
        self.items, _ = collect_items(self.paths)
        labels = {collect_items([path])[0][0].sha256: label for path, label in zip(self.paths, self.truth, strict=True)}
        self.labels = labels
        self._classes = torch.tensor([self.names.index(labels[item.sha256]) for item in self.items])

    def features(self, model: ClipLikeModel) -> Tensor:
        """[n, d] of the pictures as they are."""
        order, found = [], []
        with torch.no_grad():
            for part, (features,) in encoded_parts(
                lambda views: [model.encode_items(views)], self.items, _numbers(self.items), model.views("none", 0), 0
            ):
                order.append(torch.from_numpy(part))
                found.append(features)
        return torch.cat(found)[torch.cat(order).argsort()]

    def accuracy(self, features: Tensor, prototypes: Tensor) -> float:
        """Share of the pictures whose nearest prototype is their class's."""
        return (features @ prototypes.T).argmax(dim=1).eq(self._classes).float().mean().item()


class ReferenceRun:
    """The recipe, step by step, as its public code runs it.

    Args:
        tune: `prompt` or `model`.
    """

    def __init__(self, tune: Literal["prompt", "model"]) -> None:
        self._data = Clipart()
        model = load_base_model(BASE_MODEL)
        assert isinstance(model, ClipLikeModel)
        self._model, self._changes = model, tune == "model"
        self._features = self._data.features(model)
        prompts = build_prompts(parse_class_names(self._data.names), [TEMPLATE], model.tokenizer)
        with torch.no_grad():
            self._zero_shot = self._data.accuracy(self._features, model.prototypes(prompts))
        self._recipe = Recipe(model, prompts, self._data.paths, tune)

    def take(self, steps: int) -> dict[str, Any]:
        """So many steps; accuracy is measured behind them, and not timed."""
        started = time.perf_counter()
        for _ in range(steps):
            self._recipe.step()
        seconds = time.perf_counter() - started
        peak = peak_mib()
        with torch.no_grad():
            features = self._data.features(self._model) if self._changes else self._features
            accuracy = self._data.accuracy(features, self._recipe.prototypes())
        return {
            "steps": steps,
            "seconds": seconds,
            "accuracy": accuracy,
            "zero_shot_accuracy": self._zero_shot,
            "pictures_a_step": BATCH,
            "peak_mib": peak,
        }


class OwnSteps:
    """Steps of model tuning as the training loop takes them, in a process like a job's."""

    def __init__(self) -> None:
        keep_freed_memory()
        data, model = Clipart(), load_base_model(BASE_MODEL)
        assert isinstance(model, ClipLikeModel)
        spec = MethodSpec.model_validate({"tune": "model", "class_prior": "uniform"})
        self._method = method = resolve(
            spec,
            torch.full((len(data.names),), 1 / len(data.names)),
            item_count=len(data.items),
            kind="image",
            context_scale=1.0,
            device=torch.device("cpu"),
            threads=torch.get_num_threads(),
            micro_batch_size=None,
        )
        prompts = build_prompts(parse_class_names(data.names), [TEMPLATE], model.tokenizer)
        learner = Learner(model, prompts, method)
        self._source = ComputedFeatures(model, data.items, model.views(method.augmentation, 0), method.views)
        self._optimizer = build_optimizer(method, learner.parameter_groups())
        self._gradient = BatchGradient(learner, self._source, method, lambda: None)
        self._sampler = BatchSampler(len(data.items), method.batch_size, method.drop_last, 0)
        self._done = 0

    def take(self, steps: int) -> dict[str, Any]:
        """So many steps."""
        started = time.perf_counter()
        for _ in range(steps):
            draws = self._sampler.batch(self._done)
            self._source.expect(draws, self._sampler.batch(self._done + 1))
            self._optimizer.zero_grad(set_to_none=True)
            self._gradient(draws, None, self._method.micro_batch_size)
            self._optimizer.step()
            self._done += 1
        return {
            "steps": steps,
            "seconds": time.perf_counter() - started,
            "pictures_a_step": self._method.batch_size,
            "peak_mib": peak_mib(),
        }


class WholeRun:
    """`pouf_core.adapt` from files to artifact, in a process like a job's.

    Args:
        method: as `adapt` takes it.
        fixed_views: in place of fresh ones, see `FeatureCache`.
        watched: draw a curve, from checkpoints of every step; for what keeps little in them.
    """

    def __init__(self, method: dict[str, Any], fixed_views: int = 0, *, watched: bool = False) -> None:
        keep_freed_memory()
        self._data, self._method = Clipart(), method
        self._cache = FeatureCache(fixed_views)
        self._watched = watched
        self._contexts: list[tuple[float, Tensor]] = []

    def take(self, steps: int) -> dict[str, Any]:
        """All of it, whatever is asked for."""
        with tempfile.TemporaryDirectory() as folder:
            checkpoints = Path(folder) / "checkpoints"
            started = time.perf_counter()

            def watch(progress: Progress) -> None:
                if progress.checkpoint_step is not None and self._watched:
                    newest = max(checkpoints.glob("step-*.pt"))
                    context = torch.load(newest, weights_only=True)["tensors"]["context"]
                    self._contexts.append((time.perf_counter() - started, context))

            result = pouf_core.adapt(
                self._data.paths,
                self._data.names,
                base_model=BASE_MODEL,
                prompt_template=TEMPLATE,
                method=self._method,
                evaluation_labels=self._data.labels,
                out=Path(folder) / "model",
                feature_cache=self._cache,
                checkpoint_dir=checkpoints if self._watched else None,
                checkpoint_seconds=0,
                on_progress=watch,
            )
            seconds = time.perf_counter() - started
        peak = peak_mib()
        evaluation = result.evaluation
        assert evaluation is not None
        zero_shot, adapted = evaluation.zero_shot_accuracy, evaluation.adapted_accuracy
        return {
            "seconds": seconds,
            "accuracy": adapted,
            "zero_shot_accuracy": zero_shot,
            "served": result.fallback or "adapted",
            "curve": [*self._curve(), [seconds, adapted]],
            "peak_mib": peak,
        }

    def _curve(self) -> list[list[float]]:
        """Seconds and accuracy after each step."""
        if not self._contexts:
            return []
        model = load_base_model(BASE_MODEL)
        assert isinstance(model, ClipLikeModel)
        prompts = build_prompts(parse_class_names(self._data.names), [TEMPLATE], model.tokenizer)
        features = self._data.features(model)
        with torch.no_grad():
            return [
                [seconds, self._data.accuracy(features, model.prototypes(prompts, context))]
                for seconds, context in self._contexts
            ]


def _numbers(items: list[Item]) -> Any:
    return torch.arange(len(items)).numpy()


CONTENDERS: dict[str, Callable[[], Contender]] = {
    "recipe, prompt": lambda: ReferenceRun("prompt"),
    "recipe, model": lambda: ReferenceRun("model"),
    "ours, a step of model": OwnSteps,
    "ours, prompt": lambda: WholeRun({"tune": "prompt"}, watched=True),
    "ours, model": lambda: WholeRun({"tune": "model"}),
    "ours, default": lambda: WholeRun({}),
    "recipe over four fixed views, prompt": lambda: WholeRun({"tune": "prompt", "preset": "paper"}, fixed_views=4),
}
