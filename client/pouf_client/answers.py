"""What `predict` answers, as typed values."""

from dataclasses import dataclass

from pouf_client.display import rows
from pouf_client.results import CodedMessage, Document


@dataclass(frozen=True)
class Prediction:
    """One input's answer. `error` is set, and `label` None, where that input could not be read.

    `label` is None, too, where `score`, the largest class probability, is below the threshold. `none_score` is the
    score for "none of these", from 0 to 1. `name` is that of the input's file, if it came from one.
    """

    index: int
    label: str | None
    class_index: int | None
    score: float | None
    none_score: float | None
    top_k: list[tuple[str, float]]
    error: CodedMessage | None
    name: str | None = None

    @property
    def said(self) -> str:
        """The label, or why there is none, for people."""
        return self.error["message"] if self.error else self.label or "none of these"

    @classmethod
    def of(cls, raw: Document) -> "Prediction":
        return cls(
            index=raw["index"],
            label=raw.get("label"),
            class_index=raw.get("class_index"),
            score=raw.get("score"),
            none_score=raw.get("none_score"),
            top_k=[(entry["label"], entry["score"]) for entry in raw.get("top_k") or []],
            error=raw.get("error"),
            name=raw.get("name"),
        )


@dataclass(frozen=True)
class Predictions:
    """The answers of one request, in input order.

    `served_variant` differs from `requested_variant` when the model fell back to zero-shot. Inputs below `threshold`
    got no label.
    """

    model_id: str
    requested_variant: str
    served_variant: str
    threshold: float
    items: list[Prediction]
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> "Predictions":
        return cls(
            model_id=raw["model_id"],
            requested_variant=raw["requested_variant"],
            served_variant=raw["served_variant"],
            threshold=raw.get("threshold") or 0.0,
            items=[Prediction.of(item) for item in raw["predictions"]],
            raw=raw,
        )

    def _repr_html_(self) -> str:
        shown = [(each.name or each.index, each.said, each.score) for each in self.items]
        return rows(f"Predictions of {self.model_id}", ("input", "label", "score"), shown)
