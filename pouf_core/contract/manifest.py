"""The manifest of an adapted model: `pouf.json` in its directory."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, JsonValue, model_validator

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.base_model import Modality
from pouf_core.contract.classes import ClassName, parse_class_names
from pouf_core.contract.document import Document
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult

FORMAT: Literal[1] = 1
MANIFEST = "pouf.json"


class BaseWeights(Document):
    """Which base model it is, by name and by the SHA-256 (hex) of its weights."""

    name: str
    sha256: str


class DatasetSummary(Document):
    """What is kept of the target data: a hash of its items' hashes, and their number."""

    fingerprint: str
    item_count: int


class Manifest(PartialResult):
    """The result of an adaptation with all that prediction, audit and repetition need; and:

    Attributes:
        request: what was asked for, with everything written out that the base model decides.
        longest: tokens of an item that a language model reads at most; None for another base model.
        confidence: by variant, what class logits are multiplied by before the softmax; 1 where it has none.
        similarity_levels: by variant, quantiles of how similar items are to their class; see `pouf_core.none_of_these`.
        judged_by: the measurements that the verdict rests on, by name.
        tensors: the names of all that was written beside it; None where an older version wrote it.
        versions: of the packages that results depend on.
    """

    format: Literal[1] = FORMAT
    created_at: str | None = None
    modality: Modality = "image"
    base_model: BaseWeights
    request: AdaptationRequest
    longest: Annotated[int, Field(ge=1)] | None = None
    dataset: DatasetSummary
    confidence: dict[VariantName, Annotated[FiniteFloat, Field(gt=0)]] = {}
    similarity_levels: dict[VariantName, Annotated[list[FiniteFloat], Field(min_length=1)]] = {}
    judged_by: dict[str, JsonValue] = {}
    tensors: list[str] | None = None
    versions: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_parts_of_the_request(cls, values: Any) -> Any:
        """Manifests were written without `request` at first, and with its parts alone."""
        if not isinstance(values, dict) or "request" in values:
            return values
        request = {
            "base_model": values["base_model"]["name"],
            "class_names": values["class_names"],
            "prompt_template": values["prompt_templates"],
            "label_words": values.get("label_words"),
            "text_limits": values.get("text_limits"),
            "seed": values["seed"],
        }
        return {**values, "request": request}

    @property
    def classes(self) -> list[ClassName]:
        """The K classes in order."""
        return parse_class_names(self.request.class_names)

    @property
    def templates(self) -> list[str]:
        """The prompt templates."""
        given = self.request.prompt_template
        return [given] if isinstance(given, str) else list(given or [])

    def as_json(self) -> dict[str, Any]:
        """The content of `pouf.json`, where parts of the request stand at the top level, too, as they always have."""
        parts = {
            "class_names": [item.model_dump() for item in self.classes],
            "prompt_templates": self.templates,
            "label_words": self.request.label_words,
            "text_limits": self.request.text_limits,
            "seed": self.request.seed,
        }
        return self.model_dump(mode="json") | parts
