"""The service's answers as typed values; `raw` holds everything that was sent, known here or not."""

from dataclasses import dataclass
from typing import TypedDict

from pouf_client.display import facts, percent
from pouf_client.results import Abstention, CodedMessage, Document, EstimatedGain, Evaluation, Note

FINAL_JOB_STATUSES = frozenset({"succeeded", "failed", "cancelled"})
FINAL_DATASET_STATUSES = frozenset({"ready", "failed"})


class DatasetItem(TypedDict):
    """A file, text or vector that the service found in an upload; `code` and `message` say why it was left out.

    `text` and `text_pair` are the beginnings of texts, `label` is for evaluation alone.
    """

    name: str
    text: str | None
    text_pair: str | None
    label: str | None
    sha256: str | None
    size: int | None
    status: str
    code: str | None
    message: str | None


class RejectionGroup(TypedDict):
    """What could not be used for one cause; name and message are those of the first."""

    code: str
    count: int
    example_name: str
    message: str


class Template(TypedDict):
    """A template and label words of a known text task."""

    name: str
    prompt_template: str
    label_words: dict[str, str]
    class_names: list[str]
    text_limits: dict[str, int] | None
    text_pairs: bool


@dataclass(frozen=True)
class Dataset:
    """Unlabelled items to adapt to.

    Attributes:
        rejections: what could not be used, by cause, the most frequent first.
        skipped: how many files were passed over, by reason: `hidden_file`, `system_file`, `sidecar` or
            `description`.
        warnings: what to know of it; jobs over the dataset have these too.
    """

    id: str
    name: str | None
    status: str
    modality: str
    item_count: int | None
    duplicate_count: int | None
    rejected_count: int | None
    labelled_count: int | None
    label_source: Document | None
    embedding_width: int | None
    embedding_templates: int | None
    fingerprint: str | None
    suggested_class_names: list[str]
    rejections: list[RejectionGroup]
    skipped: dict[str, int]
    warnings: list[CodedMessage]
    error: CodedMessage | None
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> "Dataset":
        return cls(
            id=raw["id"],
            name=raw.get("name"),
            status=raw["status"],
            modality=raw.get("modality", "auto"),
            item_count=raw.get("item_count"),
            duplicate_count=raw.get("duplicate_count"),
            rejected_count=raw.get("rejected_count"),
            labelled_count=raw.get("labelled_count"),
            label_source=raw.get("label_source"),
            embedding_width=raw.get("embedding_width"),
            embedding_templates=raw.get("embedding_templates"),
            fingerprint=raw.get("fingerprint"),
            suggested_class_names=raw.get("suggested_class_names") or [],
            skipped=raw.get("skipped") or {},
            rejections=raw.get("rejections") or [],
            warnings=raw.get("warnings") or [],
            error=raw.get("error"),
            raw=raw,
        )

    @property
    def final(self) -> bool:
        """Whether it is ready or failed."""
        return self.status in FINAL_DATASET_STATUSES

    def _repr_html_(self) -> str:
        counts = {"items": self.item_count, "rejected": self.rejected_count, "with a label": self.labelled_count}
        shown = {"name": self.name, "status": self.status, "modality": self.modality, **counts}
        return facts(f"Dataset {self.id}", {**shown, **_messages(self.error, self.warnings)})


@dataclass(frozen=True)
class Job:
    """An adaptation job. `step` of `total_steps` and `fraction` say how far it is.

    Attributes:
        verdict: `improved`, `uncertain` or `harmful`, decided without labels; None where there is none.
        verdict_reasons: the findings behind the verdict.
        estimated_gain: over zero-shot; None where it was not estimated.
        abstention: accuracy against share answered, and the proposed threshold; None where it was not estimated.
        fallback: `zero_shot` where predictions come from the base model unless the adapted variant is asked for.
        selected_step: the step whose weights were kept, 0 being those that zero-shot has; None until it is known.
    """

    id: str
    name: str | None
    status: str
    stage: str | None
    attempt: int
    dataset_id: str
    model_id: str | None
    step: int
    total_steps: int | None
    fraction: float | None
    evaluation: Evaluation | None
    no_evaluation: CodedMessage | None
    verdict: str | None
    verdict_reasons: list[Note]
    estimated_gain: EstimatedGain | None
    abstention: Abstention | None
    fallback: str | None
    selected_step: int | None
    error: CodedMessage | None
    warnings: list[CodedMessage]
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> "Job":
        progress = raw.get("progress") or {}
        evaluation, gain, abstention = (raw.get(name) for name in ("evaluation", "estimated_gain", "abstention"))
        return cls(
            id=raw["id"],
            name=raw.get("name"),
            status=raw["status"],
            stage=raw.get("stage"),
            attempt=raw.get("attempt") or 0,
            dataset_id=raw["dataset_id"],
            model_id=raw.get("model_id"),
            step=progress.get("step") or 0,
            total_steps=progress.get("total_steps"),
            fraction=progress.get("fraction"),
            evaluation=Evaluation.of(evaluation) if evaluation else None,
            no_evaluation=raw.get("no_evaluation"),
            verdict=raw.get("verdict"),
            verdict_reasons=Note.each(raw.get("verdict_reasons")),
            estimated_gain=EstimatedGain.of(gain) if gain else None,
            abstention=Abstention.of(abstention) if abstention else None,
            fallback=raw.get("fallback"),
            selected_step=raw.get("selected_step"),
            error=raw.get("error"),
            warnings=raw.get("warnings") or [],
            raw=raw,
        )

    @property
    def final(self) -> bool:
        """Whether it has succeeded, failed or been cancelled."""
        return self.status in FINAL_JOB_STATUSES

    def _repr_html_(self) -> str:
        evaluation = self.evaluation
        shown = {
            "name": self.name,
            "status": self.status,
            "done": percent(self.fraction),
            "dataset": self.dataset_id,
            "model": self.model_id,
            "zero-shot accuracy": percent(evaluation.zero_shot_accuracy) if evaluation else None,
            "adapted accuracy": percent(evaluation.adapted_accuracy) if evaluation else None,
        }
        return facts(f"Job {self.id}", {**shown, **_judged(self), **_messages(self.error, self.warnings)})


@dataclass(frozen=True)
class Event:
    """Something that happened to a job; `seq` counts from 1 and never repeats."""

    seq: int
    type: str
    data: Document
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> "Event":
        return cls(raw["seq"], raw["type"], raw["data"], raw)


@dataclass(frozen=True)
class Model:
    """An adapted model, of `image`, `text` or `embedding`; its verdict is that of its job."""

    id: str
    name: str | None
    job_id: str | None
    base_model: str
    modality: str | None
    class_names: list[str]
    size_bytes: int | None
    verdict: str | None
    verdict_reasons: list[Note]
    estimated_gain: EstimatedGain | None
    abstention: Abstention | None
    fallback: str | None
    selected_step: int | None
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> "Model":
        gain, abstention = raw.get("estimated_gain"), raw.get("abstention")
        names = [name["name"] if isinstance(name, dict) else name for name in raw.get("class_names") or []]
        return cls(
            id=raw["id"],
            name=raw.get("name"),
            job_id=raw.get("job_id"),
            base_model=raw["base_model"],
            modality=raw.get("modality"),
            class_names=names,
            size_bytes=raw.get("size_bytes"),
            verdict=raw.get("verdict"),
            verdict_reasons=Note.each(raw.get("verdict_reasons")),
            estimated_gain=EstimatedGain.of(gain) if gain else None,
            abstention=Abstention.of(abstention) if abstention else None,
            fallback=raw.get("fallback"),
            selected_step=raw.get("selected_step"),
            raw=raw,
        )

    def _repr_html_(self) -> str:
        classes = ", ".join(self.class_names) or None
        shown = {"name": self.name, "base model": self.base_model, "modality": self.modality, "classes": classes}
        return facts(f"Model {self.id}", {**shown, **_judged(self)})


def _judged(of: Job | Model) -> dict[str, str | None]:
    gain = of.estimated_gain
    return {
        "verdict": of.verdict,
        "estimated gain": f"{gain.points:+.1f} points ({gain.low:+.1f} to {gain.high:+.1f})" if gain else None,
        "served instead": of.fallback,
    }


def _messages(error: CodedMessage | None, warnings: list[CodedMessage]) -> dict[str, str | None]:
    return {
        "error": error["message"] if error else None,
        "warnings": " ".join(warning["message"] for warning in warnings) or None,
    }


@dataclass(frozen=True)
class BaseModel:
    """A pretrained model that jobs may adapt; a `*` at the end of its name stands for anything, of any modality."""

    name: str
    modality: str | None
    tune_modes: list[str]
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> "BaseModel":
        return cls(raw["name"], raw.get("modality"), list(raw.get("tune_modes") or []), raw)
