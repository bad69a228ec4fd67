"""A cosine model with the classes of one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.presets import wanted_precision
from pouf_core.contract.request import CheckedRequest
from pouf_core.contract.tune_modes import TUNE_MODES
from pouf_core.families.cosine.encoders import CosineEncoders
from pouf_core.families.cosine.learned_context import initial_context, learned_prompts
from pouf_core.families.cosine.learner import Learner
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.cosine.prototype_learner import PrototypeLearner
from pouf_core.families.interface import Trunk, Views
from pouf_core.scoring import CosineClassifier

ViewT = TypeVar("ViewT")


class PromptedCosineModel(Generic[ViewT]):
    """A cosine model whose classes are prompts; see `pouf_core.families.interface.PromptedModel`.

    Args:
        base: the base model; training changes its network in place.
        request: the classes, the templates and the method.

    Raises:
        InvalidInput: a class name or a template that this model cannot take.
    """

    def __init__(self, base: CosineEncoders[ViewT], request: CheckedRequest) -> None:
        classes, templates, method = request.classes, request.wording.templates, request.method
        self._base = base = base.computing_in(wanted_precision(method))
        self._prompts = build_prompts(classes, templates, base.tokenizer)
        self._learned = learned_prompts(classes, templates, base.tokenizer, method, self._prompts)
        self._context = initial_context(base, self._learned, method, request.seed)
        self._zero_shot: CosineClassifier | None = None

    @property
    def encoder_key(self) -> str:
        """Made of the pretrained weights: the prompts do not change how items are encoded."""
        return f"items@{self._base.encoding_key}"

    @property
    def engine_used(self) -> EngineUsed:
        """What runs the item tower."""
        return self._base.engine_used

    @property
    def view_kind(self) -> str:
        """`flip` for pictures, `words` for texts."""
        return self._base.view_kind

    @property
    def trunk(self) -> Trunk | None:
        """The trunk, where the base model has a separate projection."""
        base = self._base
        if not base.has_separate_projection:
            return None
        return Trunk(f"trunk@{base.encoding_key}", base.encode_trunk, base.project)

    @property
    def context_scale(self) -> float:
        """Root mean square of the untrained context vectors; 0 where there are none."""
        return float(self._context.pow(2).mean().sqrt()) if len(self._context) else 0.0

    def views(self, kind: str, seed: int) -> Views[ViewT]:
        """Versions of items."""
        return self._base.views(kind, seed)

    def encode_items(self, views: Sequence[ViewT]) -> Tensor:
        """Unit-length features [B, d]."""
        return self._base.encode_items(views)

    @property
    def longest(self) -> None:
        """The tokenizer's own length is all that limits prompts."""
        return

    def zero_shot(self) -> CosineClassifier:
        """The base model's prototypes and scale as they are now."""
        if self._zero_shot is None:
            with torch.no_grad():
                prototypes = self._base.prototypes(self._prompts)
            self._zero_shot = CosineClassifier(prototypes, self._base.logit_scale.detach().clone())
        return self._zero_shot

    def learner(self, method: ResolvedMethod) -> Learner | PrototypeLearner:
        """What a method trains."""
        if TUNE_MODES[method.tune].learner == "prototypes":
            return PrototypeLearner(self.zero_shot(), method)
        self._zero_shot = None  # the learner may change what it was made from
        return Learner(self._base, self._learned, method, self._context)
