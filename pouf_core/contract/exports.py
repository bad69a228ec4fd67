"""Exports: an adapted model in forms that other software reads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.document import Document
from pouf_core.contract.findings import Finding
from pouf_core.contract.result import Fallback, Verdict

ExportFormat = Literal["numpy", "onnx", "open_clip", "huggingface"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("numpy", "onnx", "open_clip", "huggingface")
EXPORT_CARD = "README.md"
"""The file that every export has."""
EXPORT_LAYOUT = 1
"""Another number where the same model is exported to other files."""


class Judgement(Document):
    """What is held of a model now, which people's answers may have changed since it was adapted.

    Attributes:
        verdict, verdict_reasons, fallback: as in `PartialResult`.
    """

    verdict: Verdict | None
    verdict_reasons: list[Finding]
    fallback: Fallback | None


class ExportOptions(Document):
    """What an export is to be, beside the model.

    Attributes:
        variant: the classifier to export; None for the one that is served.
        threshold: below which an item gets no class, in place of the model's own; None for that.
        judgement: in place of the artifact's own; None for that.
    """

    format: ExportFormat
    variant: VariantName | None = None
    threshold: float | None = None
    judgement: Judgement | None = None


class ExportTask(Document):
    """What the process is told that writes an export.

    Attributes:
        artifact: the model's directory.
        target: the directory to write, which does not exist.
        threads: CPU threads; None for the machine's choice.
        memory_bytes: of the host that it may use; None for most of what is free.
    """

    artifact: Path
    target: Path
    options: ExportOptions
    threads: int | None = None
    memory_bytes: int | None = None


class ExportOutcome(Document):
    """What it answers: nothing, or why there is no export."""

    code: str | None = None
    message: str = ""
