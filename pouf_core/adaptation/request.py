"""What is asked of an adaptation, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pouf_core.adaptation.resolving import label_word_bias
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import ClassName, parse_class_names
from pouf_core.contract.label_words import LabelWords
from pouf_core.contract.method import RUNTIME, MethodSpec, ResolvedMethod, parse_method
from pouf_core.contract.method_checks import check_base, check_method
from pouf_core.contract.wording import check_text_items, label_words_for, templates_for, text_limits_for
from pouf_core.data.items import Data, Item, Rejected, are_pairs, collect_items, fingerprint


@dataclass(frozen=True)
class Request:
    """A checked request."""

    items: list[Item]
    rejected: list[Rejected]
    classes: list[ClassName]
    templates: list[str]
    spec: MethodSpec
    seed: int
    label_words: list[tuple[str, ...]] = field(default_factory=list)  # of every class; empty for a cosine model
    text_limits: dict[str, int] = field(default_factory=dict)  # tokens, by text field of the template

    @property
    def removes_label_word_bias(self) -> bool:
        """Whether the label words' own leaning is taken off the class logits."""
        return label_word_bias(self.spec, "language") == "null"

    def identity(self, base_sha256: str, method: ResolvedMethod) -> str:
        """Hash of everything that the trained weights depend on.

        Of the method, what was asked for and where it runs: what `auto` became is kept in the checkpoint, since the
        last digits of an estimate may differ on another machine.
        """
        parts = {
            "data": fingerprint(self.items),
            "classes": [item.model_dump() for item in self.classes],
            "templates": self.templates,
            "base": base_sha256,
            "method": self.spec.model_dump(),
            "runtime": method.model_dump(include=set(RUNTIME)),
            "seed": self.seed,
        }
        if self.label_words:
            parts["label_words"] = self.label_words
        if self.text_limits:
            parts["text_limits"] = self.text_limits
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check_request(
    data: Data,
    class_names: Sequence[str | Mapping[str, object] | ClassName],
    prompt_template: str | Sequence[str] | None,
    method: MethodSpec | Mapping[str, Any] | None,
    seed: int,
    base: BaseModelDescription,
    label_words: LabelWords | None = None,
    text_limits: Mapping[str, int] | None = None,
    text_column: str | None = None,
) -> Request:
    """Give a request one form.

    Raises:
        InvalidInput: any part of it, or all of the data, cannot be used.
    """
    classes = parse_class_names(class_names)
    spec = method if isinstance(method, MethodSpec) else parse_method(method or {})
    check_method(spec, len(classes))
    check_base(spec, base)
    templates = templates_for(base, prompt_template)
    words = label_words_for(base, label_words, classes)
    limits = text_limits_for(base, text_limits, templates)
    items, rejected = collect_items(data, base.modality, text_column)
    if base.modality == "text":
        check_text_items(base, templates, are_pairs(items))
    return Request(items, rejected, classes, templates, spec, seed, words, limits)
