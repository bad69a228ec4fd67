"""What is asked of an adaptation, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pouf_core.catalogue import BaseModelDescription
from pouf_core.classes import ClassName, parse_class_names, parse_templates
from pouf_core.data import Data, Item, Rejected, collect_items, fingerprint
from pouf_core.method import RUNTIME, MethodSpec, ResolvedMethod, parse_method
from pouf_core.method_checks import check_method, check_tune


@dataclass(frozen=True)
class Request:
    """A checked request."""

    items: list[Item]
    rejected: list[Rejected]
    classes: list[ClassName]
    templates: list[str]
    spec: MethodSpec
    seed: int

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
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check_request(
    data: Data,
    class_names: Sequence[str | Mapping[str, object] | ClassName],
    prompt_template: str | Sequence[str] | None,
    method: MethodSpec | Mapping[str, Any] | None,
    seed: int,
    base: BaseModelDescription,
) -> Request:
    """Give a request one form.

    Raises:
        InvalidInput: any part of it, or all of the data, cannot be used.
    """
    classes = parse_class_names(class_names)
    templates = parse_templates(prompt_template, base.default_prompt_template)
    spec = method if isinstance(method, MethodSpec) else parse_method(method or {})
    check_method(spec, len(classes))
    check_tune(spec, base)
    items, rejected = collect_items(data, base.modality)
    return Request(items, rejected, classes, templates, spec, seed)
