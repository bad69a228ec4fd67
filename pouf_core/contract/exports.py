"""Exports: an adapted model in forms that other software reads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.audit import AuditEstimate
from pouf_core.contract.document import Document

ExportFormat = Literal["numpy", "onnx", "open_clip", "huggingface"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("numpy", "onnx", "open_clip", "huggingface")
EXPORT_LAYOUT = 1
"""Another number where the same model is exported to other files."""


class ExportOptions(Document):
    """What an export is to be, beside the model.

    Attributes:
        variant: the classifier to export; None for the one that is served.
        threshold: below which an item gets no class, in place of the model's own; None for that.
        audit: what people's answers measured of the model, for its card.
    """

    format: ExportFormat
    variant: VariantName | None = None
    threshold: float | None = None
    audit: AuditEstimate | None = None


class ExportTask(Document):
    """What the process is told that writes an export.

    Attributes:
        artifact: the model's directory.
        target: the directory to write, which does not exist.
        threads: CPU threads; None for the machine's choice.
    """

    artifact: Path
    target: Path
    options: ExportOptions
    threads: int | None = None


class ExportOutcome(Document):
    """What it answers: nothing, or why there is no export."""

    code: str | None = None
    message: str = ""
