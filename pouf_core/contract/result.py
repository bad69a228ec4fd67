"""What an adaptation answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, JsonValue, PrivateAttr

from pouf_core.contract.abstention import Abstention
from pouf_core.contract.activation import Activation
from pouf_core.contract.base_model import Modality
from pouf_core.contract.closed_forms import EstimatedGain
from pouf_core.contract.document import Document
from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.findings import Finding
from pouf_core.contract.method import Resolved
from pouf_core.contract.progress import Metrics, Stage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Verdict = Literal["improved", "uncertain", "harmful"]
Fallback = Literal["zero_shot"]


class Evaluation(Document):
    """Accuracies on the labelled items, as shares in [0, 1], with 95 % Wilson intervals.

    Attributes:
        n: items whose label matches a class.
        unmatched: labelled items whose label matches none; they are counted and not used.
    """

    zero_shot_accuracy: float
    adapted_accuracy: float
    zero_shot_interval: tuple[float, float]
    adapted_interval: tuple[float, float]
    n: int
    unmatched: int


class PartialResult(Document):
    """What is known so far of a result: all of it once the adaptation has finished.

    Attributes:
        modality: what the adapted model classifies; None where an older version wrote it.
        method: the resolved method; as it was written, where an older version wrote it with other fields.
        evaluation: None without labels that match a class.
        no_evaluation: why a finished adaptation has none.
        verdict: `improved`, `uncertain` or `harmful`.
        verdict_reasons: what the verdict rests on.
        estimated_gain: over zero-shot in percentage points of accuracy, told without labels; None where it was not
            estimated.
        abstention: accuracy against share answered, told without labels, and the threshold that it proposes; None where
            it was not estimated.
        fallback: `zero_shot` where the base model is to be served in place of the adapted one.
        selected_step: the step whose weights were kept; 0 is the base model as it is.
        warnings: what a person should look at, whatever the verdict.
        activation_used: the activation that the base model computed with, where it leaves a choice.
        engine: what encoded the items before training; None where they were features already.
        timings: wall-clock seconds by stage; of an interrupted run, those of its last attempt.
    """

    modality: Modality | None = None
    method: Resolved | dict[str, JsonValue] | None = Field(None, union_mode="left_to_right")
    evaluation: Evaluation | None = None
    no_evaluation: Finding | None = None
    verdict: Verdict | None = None
    verdict_reasons: list[Finding] = []
    estimated_gain: EstimatedGain | None = None
    abstention: Abstention | None = None
    fallback: Fallback | None = None
    selected_step: int | None = None
    warnings: list[Finding] = []
    activation_used: Activation | None = None
    engine: EngineUsed | None = None
    timings: dict[Stage, float] = {}


class AdaptationResult(PartialResult):
    """What a finished adaptation gives; attributes as in `PartialResult`, and:

    Attributes:
        metrics: numbers of every step.
        seconds: wall-clock time.
    """

    method: Resolved
    verdict: Verdict
    selected_step: int
    metrics: list[Metrics] = []
    seconds: float

    _path: Path | None = PrivateAttr(None)
    _predictions: Any = PrivateAttr(None)

    @property
    def path(self) -> Path:
        """The artifact directory on this machine, which the document does not name.

        Raises:
            ValueError: this result was read from a document.
        """
        if self._path is None:
            raise ValueError("This result was read from a document, which does not say where its artifact lies.")
        return self._path

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """Of `pouf_core.adapt_features`: what is served for every row [n]: the class's place in its list, -1 for none.

        Raises:
            ValueError: this result has none: another function gave it, or it was read from a document.
        """
        if self._predictions is None:
            raise ValueError("This result has no predictions: pouf_core.adapt_features gives them.")
        found: npt.NDArray[np.int64] = self._predictions
        return found

    def with_predictions(self, predictions: npt.NDArray[np.int64]) -> Self:
        """The same result with predictions [n], which the document leaves out."""
        placed = self.model_copy()
        placed._predictions = predictions
        return placed

    def at(self, path: Path, seconds: float) -> Self:
        """The same result with its artifact at `path`, after so many seconds."""
        placed = self.model_copy(update={"seconds": seconds})
        placed._path = path
        return placed

    def as_partial(self) -> dict[str, Any]:
        """The fields of `PartialResult` by name, without the numbers of every step."""
        return {name: getattr(self, name) for name in PartialResult.model_fields}
