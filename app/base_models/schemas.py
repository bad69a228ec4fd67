"""Base models and templates: the documents."""

from typing import Literal

from app.http.schemas import Document, ErrorBody
from pouf_core.contract.engine import EngineUsed


class BaseModelDocument(Document):
    """What can be adapted: one base model, or a pattern of names; of a pattern nothing more is known."""

    object: Literal["base_model"]
    name: str
    pattern: bool
    loaded: bool
    modality: str | None = None
    family: str | None = None
    embedded: bool | None = None
    tune_modes: list[str] | None = None
    takes_label_words: bool | None = None
    default_prompt_template: str | list[str] | None = None
    description: str | None = None
    engine: EngineUsed | None = None
    default: bool | None = None
    error: ErrorBody | None = None


class TemplateDocument(Document):
    """A template and label words of a known text task, as a job over a language model takes them."""

    object: Literal["template"]
    name: str
    prompt_template: str
    label_words: dict[str, str]
    class_names: list[str]
    text_limits: dict[str, int] | None
    text_pairs: bool
