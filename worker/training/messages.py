"""What the runner and its child process say to each other.

The child gets a specification file. It reports JSON lines on a pipe of its own (libraries print to stdout), and reads
one-line commands on stdin. The end of stdin means that the runner is gone: the child then dies at once, so that
nothing it does can race with whoever takes the job over.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pouf_core.contract.engine import EngineChoice
from pouf_core.contract.findings import Finding
from pouf_core.contract.progress import Progress
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import AdaptationResult

Lack = Literal["disk_full", "storage_unavailable", "machine_unavailable"]


class WorkSpec(BaseModel):
    """What a child needs to run one attempt at some work over a dataset, whatever the work.

    Attributes:
        pictures: content hash to file; ingestion has checked them, so that they are not checked again.
        texts: one file that holds every text; None for other items.
        embeddings: one file that holds every embedding; None for other items.
        feature_dir: where features of this owner's items are kept, beside those of others; None keeps none.
        feature_bytes: what the features of all owners may take.
        least_free_bytes: of the disk, that features may not take.
        predictions_dir: where the predictions of the items are to be written; None for nowhere.
    """

    model_config = ConfigDict(extra="forbid")

    fence: int
    pictures: dict[str, Path] = {}
    texts: Path | None = None
    embeddings: Path | None = None
    device: str
    threads: int | None
    engine: EngineChoice = "auto"
    engine_dir: Path | None = None
    memory_bytes: int | None = None
    feature_dir: Path | None = None
    feature_bytes: int = 0
    least_free_bytes: int = 0
    predictions_dir: Path | None = None

    @property
    def files(self) -> list[Path]:
        """The files that are read."""
        single = (self.texts, self.embeddings)
        return [*self.pictures.values(), *(path for path in single if path is not None)]


class JobSpec(WorkSpec):
    """Everything a child needs to run one attempt of one job.

    Attributes:
        class_features: one file, the rows of the classes; None where the base model makes class features itself.
        processes: how many train an item encoder together, where there are as many GPUs.
        data_warnings: what ingestion has to say of the target data.
    """

    job_id: str
    request: AdaptationRequest
    class_features: Path | None = None
    deterministic: bool | None = None
    processes: int = 1
    checkpoint_dir: Path
    checkpoint_seconds: float
    artifact_dir: Path
    evaluation_labels: dict[str, str]
    data_warnings: list[Finding] = []

    @property
    def files(self) -> list[Path]:
        """The files of the target data and the class features."""
        return [*super().files, *([self.class_features] if self.class_features is not None else [])]


class ProgressMessage(BaseModel):
    """One progress update."""

    kind: Literal["progress"] = "progress"
    progress: Progress


class ResultMessage(BaseModel):
    """The adaptation is done, and its artifact and the predictions of its items are complete on disk."""

    kind: Literal["result"] = "result"
    artifact: Path
    predictions: Path | None = None
    result: AdaptationResult


class PredictedMessage(BaseModel):
    """The predictions of a dataset are complete on disk."""

    kind: Literal["predicted"] = "predicted"
    predictions: Path


class StoppedMessage(BaseModel):
    """The adaptation stopped at a step boundary because it was asked to."""

    kind: Literal["stopped"] = "stopped"
    reason: str


class PostponedMessage(BaseModel):
    """The attempt could not go on for a lack that may pass: of space, of the storage, of what its machine has."""

    kind: Literal["postponed"] = "postponed"
    lack: Lack = "disk_full"
    reason: str


class ErrorMessage(BaseModel):
    """The adaptation failed in a way that trying again would not change."""

    kind: Literal["error"] = "error"
    code: str
    message: str


Message = ProgressMessage | ResultMessage | PredictedMessage | StoppedMessage | PostponedMessage | ErrorMessage
_message: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])

STOP_COMMAND = "stop"


def encode(message: Message) -> bytes:
    """One line of JSON. Not-a-number and infinity, which JSON lacks, become null."""
    return message.model_dump_json().encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message on one line; `pydantic.ValidationError` when it is not one."""
    return _message.validate_python(json.loads(line))
