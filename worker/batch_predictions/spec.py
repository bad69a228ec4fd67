"""What the process is told that runs one attempt of one batch prediction."""

from __future__ import annotations

from pathlib import Path

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.method import Precision
from worker.training.messages import WorkSpec


class BatchSpec(WorkSpec):
    """Everything that the child needs.

    Attributes:
        items_at_once: items whose predictions outlast the attempt together.
        artifact: the folder of the model.
        precision: what the model computes in where its request names none; None for what suits the device.
        variant, threshold: as for `predict_dataset`.
        parts_dir: where predictions are kept until they are complete, by this attempt and others on this host with
            the same precision.
    """

    batch_id: str
    items_at_once: int = 1024
    artifact: Path
    precision: Precision | None = None
    variant: VariantName | None = None
    threshold: float | None = None
    parts_dir: Path
    predictions_dir: Path

    @property
    def files(self) -> list[Path]:
        """The items' files and the model."""
        return [*super().files, self.artifact]
