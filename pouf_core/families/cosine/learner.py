"""What is trained: context vectors, or some of the network's parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.tune_modes import TUNE_MODES
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.encoders import CosineEncoders
from pouf_core.families.cosine.prompts import Prompts
from pouf_core.families.cosine.prototype_learner import ZeroShotPenalty, moved
from pouf_core.families.cosine.trained_parameters import projection_names, trained_parameters
from pouf_core.families.interface import ParameterGroup
from pouf_core.families.trained_tensors import CONTEXT, LOGIT_SCALE, NETWORK, OFFSETS, copies_of
from pouf_core.scoring import Classifier, CosineClassifier


class Learner:
    """A base model with the parameters that this adaptation trains.

    Args:
        base: the base model; training the network's parameters changes it in place.
        prompts: the prompts of the classes, see `pouf_core.families.cosine.learned_context.learned_prompts`.
        method: the resolved method.
        context: [N, width] where the context vectors start; by default the embeddings of the template's words.

    Attributes:
        prompts_at_once: prompts that go through the text tower at once when a gradient is wanted.

    Raises:
        InvalidInput: `nothing_to_tune` when the template has no words to learn or the model lacks the parameters.
    """

    def __init__(
        self, base: CosineEncoders[Any], prompts: Prompts, method: ResolvedMethod, context: Tensor | None = None
    ) -> None:
        self._method = method
        self.base = base
        self.prompts = base.placed(prompts)
        self.prompts_at_once = base.prompts_within_memory(self.prompts)
        self.context: nn.Parameter | None = None
        self._network_parameters: dict[str, nn.Parameter] = {}
        if TUNE_MODES[method.tune].learner == "context":
            self.context = _context_parameter(base.initial_context(prompts) if context is None else context)
        else:
            self._network_parameters = _unfrozen_parameters(base, method)
        self._frozen_prototypes: Tensor | None = None
        self._projected: Callable[[], Tensor] | None = None
        if self._network_parameters and all(name.startswith("visual.") for name in self._network_parameters):
            with torch.no_grad():
                self._frozen_prototypes = base.prototypes(self.prompts)
        elif self._network_parameters and projection_names(base.network).issuperset(self._network_parameters):
            self._projected = base.projected_prototypes(self.prompts)
        self._offsets: nn.Parameter | None = None
        if method.prototype_learning_rate:
            with torch.no_grad():
                self._offsets = nn.Parameter(torch.zeros_like(self.prototypes()))
        self._penalty: ZeroShotPenalty | None = None
        if method.anchor_weight:
            with torch.no_grad():
                self._penalty = ZeroShotPenalty(method.anchor_weight, self.prototypes())
        self.trains_logit_scale = method.logit_scale_learning_rate > 0
        base.logit_scale.requires_grad_(self.trains_logit_scale)
        limit = method.logit_scale_limit
        pretrained = float(base.logit_scale.detach())
        self._logit_scale_limit = math.inf if limit is None else max(limit, pretrained)  # some SigLIPs start above 100

    def parameter_groups(self) -> list[ParameterGroup]:
        """Context vectors or towers, then projections, prototypes and the logit scale, each where it is trained."""
        method = self._method
        heads = projection_names(self.base.network)
        towers = [item for name, item in self._network_parameters.items() if name not in heads]
        projections = [item for name, item in self._network_parameters.items() if name in heads]
        groups = [
            ([self.context] if self.context is not None else towers, method.learning_rate),
            (projections, method.projection_learning_rate),
            ([self._offsets] if self._offsets is not None else [], method.prototype_learning_rate),
            ([self.base.logit_scale] if self.trains_logit_scale else [], method.logit_scale_learning_rate),
        ]
        return [ParameterGroup(parameters, rate) for parameters, rate in groups if parameters]

    @property
    def trains_item_encoder(self) -> bool:
        """Whether item features change during training."""
        return self.context is None

    def prototypes(self) -> Tensor:
        """Text prototypes [K, d] under the present parameters, moved by their offsets where these are trained."""
        encoded = self._encoded_prototypes()
        return encoded if self._offsets is None else moved(encoded, self._offsets)

    def _encoded_prototypes(self) -> Tensor:
        if self._frozen_prototypes is not None:
            return self._frozen_prototypes
        if self._projected is not None:
            return self._projected()
        return self.base.prototypes(self.prompts, self.context, self.prompts_at_once)

    @property
    def trains_text_encoder(self) -> bool:
        """Whether prototypes change during training."""
        return self._frozen_prototypes is None

    def halve_prompts(self) -> bool:
        """Send fewer prompts through the text tower at once; False where there is nothing to halve."""
        if not self.trains_text_encoder or self._projected is not None or self.prompts_at_once == 1:
            return False
        self.prompts_at_once //= 2
        return True

    def penalty(self, classifier: Classifier) -> Tensor | None:
        """The L2 penalty towards the zero-shot prototypes, where it has a weight."""
        return None if self._penalty is None else self._penalty(classifier)

    def after_step(self) -> None:
        """Keep a trained logit scale within its limit; call after every optimiser step."""
        if self.trains_logit_scale and math.isfinite(self._logit_scale_limit):
            with torch.no_grad():
                self.base.logit_scale.clamp_(max=self._logit_scale_limit)

    @property
    def device(self) -> torch.device:
        """Where the trained tensors live."""
        return self.base.device

    def classifier(self) -> CosineClassifier:
        """The classes under the present parameters."""
        return CosineClassifier(self.prototypes(), self.base.logit_scale)

    def tensors(self) -> dict[str, Tensor]:
        """Copies of everything trained, by name: `context`, `prototype_offsets`, `logit_scale`,
        `network.<parameter>`."""
        named: dict[str, Tensor] = {NETWORK + name: value for name, value in self._network_parameters.items()}
        if self.context is not None:
            named[CONTEXT] = self.context
        if self._offsets is not None:
            named[OFFSETS] = self._offsets
        if self.trains_logit_scale:
            named[LOGIT_SCALE] = self.base.logit_scale
        return copies_of(named)

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        with torch.no_grad():
            for name, value in tensors.items():
                self._parameter(name).copy_(value)

    def _parameter(self, name: str) -> nn.Parameter:
        if name == CONTEXT and self.context is not None:
            return self.context
        if name == OFFSETS and self._offsets is not None:
            return self._offsets
        if name == LOGIT_SCALE:
            return self.base.logit_scale
        return self._network_parameters[name.removeprefix(NETWORK)]


def _unfrozen_parameters(base: CosineEncoders[Any], method: ResolvedMethod) -> dict[str, nn.Parameter]:
    """Parameters of the network by name, which have gradients from now on, and which no engine runs any more."""
    parameters = trained_parameters(base.network, method.tune, method.last_n)
    if not parameters:
        message = f"Base model {base.description.name} has no parameters for tune mode {method.tune!r}."
        raise InvalidInput("nothing_to_tune", message, field="/method/tune")
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    base.frozen.release_if_trained()
    return parameters


def _context_parameter(context: Tensor) -> nn.Parameter:
    if not len(context):
        raise InvalidInput(
            "nothing_to_tune",
            "Prompt tuning learns the template's words, and this template has none beside {}. Give context_init "
            "`random` to learn vectors without words.",
            field="/prompt_template",
        )
    return nn.Parameter(context)
