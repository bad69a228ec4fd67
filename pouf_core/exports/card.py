"""The files of an export that people read: the model card and a script that loads the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pouf_core.artifact import CARD, templates
from pouf_core.contract.audit import AUDITED
from pouf_core.contract.exports import ExportFormat, Judgement
from pouf_core.exports.arrays import has_label_words
from pouf_core.exports.model import ModelToExport

EXAMPLE = "example.py"
_PIPELINES = {"image": "image-classification", "text": "text-classification"}
_FORMULA = """\
x = feature / length of feature
logit of class k = weights[k] · x + bias[k]
probability of class k = softmax over k of (confidence · logit)
{% if scale %}
weights[k] = logit_scale · class_features[k], with logit_scale = {{ scale }}; bias[k] = 0 unless the prior was matched
{% else %}
weights and bias are a linear classifier found in closed form; class_features are the zero-shot prototypes
{% endif %}
{% if levels %}
similarity = sum over k of (class_features[k] · x) · softmax over k of (logit)
score for "none of these" = share of the adapted-to items that are more similar, by similarity_levels
{% endif %}
no class if the largest probability < threshold ({{ threshold }})
"""


@dataclass(frozen=True)
class Told:
    """What a format says of itself.

    Attributes:
        title: the card's heading.
        summary: one or two sentences.
        needs: what has to be installed.
        library: Hugging Face's name of the library; None without one.
        files: name and meaning of each file beside the card and the example.
        prepared: how items are prepared; empty where they are features already.
        shows_formula: whether the card has the formula from features to probabilities.
    """

    title: str
    summary: str
    needs: str
    files: Sequence[tuple[str, str]]
    library: str | None = None
    prepared: Mapping[str, Any] | None = None
    shows_formula: bool = False


def write_card(
    model: ModelToExport, wanted: ExportFormat, told: Told, directory: Path, judgement: Judgement | None
) -> None:
    """Write `example.py` and `README.md`."""
    example = _example(model, wanted, told.prepared or {})
    (directory / EXAMPLE).write_text(example, encoding="utf-8")
    manifest = model.manifest.as_json() | ({} if judgement is None else judgement.model_dump(mode="json"))
    content = (
        templates()
        .get_template("exports/card.md.jinja")
        .render(
            **manifest,
            front_matter=_front_matter(model, wanted, told.library),
            title=told.title,
            summary=told.summary,
            needs=told.needs,
            files=[*told.files, (EXAMPLE, "Loads the model and prints the class of each item.")],
            example=example,
            formula=_formula(model) if told.shows_formula else None,
            prepared=(told.prepared or {}).get("in_words", []),
            variant=model.name,
            threshold=model.threshold,
            audited=any(reason["code"] == AUDITED for reason in manifest["verdict_reasons"]),
        )
    )
    (directory / CARD).write_text(content + "\n", encoding="utf-8")


def _example(model: ModelToExport, wanted: ExportFormat, prepared: Mapping[str, Any]) -> str:
    template = templates().get_template(f"exports/example_{wanted}.py.jinja")
    words = has_label_words(model.variant.classifier.tensors())
    texts = prepared.get("kind") in ("tokens", "sentences", "template")
    known = {"texts": texts, "words": words, "levels": bool(model.variant.levels)}
    settings = {"kind": "features", "pairs": False, **prepared, **known}
    return template.render(**settings).rstrip("\n") + "\n"


def _formula(model: ModelToExport) -> str | None:
    """In words; of a language model, whose classes may have several words, `example.py` says it."""
    tensors = model.variant.classifier.tensors()
    if has_label_words(tensors):
        return None
    scale = f"{float(tensors['logit_scale'].exp()):.6g}" if "logit_scale" in tensors else None
    formula = templates().from_string(_FORMULA)
    return formula.render(scale=scale, levels=bool(model.variant.levels), threshold=f"{model.threshold:.4g}")


def _front_matter(model: ModelToExport, wanted: ExportFormat, library: str | None) -> str:
    """YAML that Hugging Face reads; values are quoted as JSON, which YAML includes."""
    pipeline = _PIPELINES.get(model.manifest.modality)
    fields: dict[str, Any] = {
        "library_name": library,
        "pipeline_tag": pipeline,
        "tags": ["pouf", "unsupervised-adaptation", wanted.replace("_", "-")],
    }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items() if value is not None)
