"""Where and how an adaptation runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from pouf_core.adaptation.inputs import Helpers
from pouf_core.contract.engine import EngineChoice
from pouf_core.contract.findings import Finding
from pouf_core.contract.labels import LabelsWanted
from pouf_core.contract.progress import OnProgress, ShouldStop
from pouf_core.data.text_files import TextOptions
from pouf_core.families.interface import BaseModel
from pouf_core.feature_cache.cache import FeatureCache

CHECKPOINT_SECONDS = 15.0


@dataclass(frozen=True)
class RunOptions:
    """Where and how an adaptation runs.

    Attributes:
        out: directory for the artifact; a new temporary one by default.
        predictions_dir: where what is served for every item is written, see `pouf_core.predictions.stored`; None writes
            nothing.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads; None leaves torch's setting.
        deterministic: use deterministic algorithms only; None does so on a CPU, where it costs a few per cent at most,
            and not on a GPU, where an operation without one is an error.
        micro_batch_size: items encoded at once; results are the same up to rounding.
        checkpoint_dir: where checkpoints are kept and looked for.
        checkpoint_seconds: least time between checkpoints.
        class_features: for base model `features`, the classes in the space of the embeddings, as numpy array or torch
            tensor: [K, d], or [T, K, d] for T templates, whose vectors are normalised and averaged.
        text_column, label_column: of files of texts, the column or field with the text and the one with labels, by name
            or number from 0; None where the file tells. `label_column` is of files of labels beside pictures, too.
        delimiter, encoding, header: of files of texts, see `TextOptions`; None where the file tells.
        labels: where evaluation labels may come from: `file` for columns, fields and files of labels; `folders`; `auto`
            for files where any gives labels, else folders; or `none`.
        evaluation_labels: content hash to label, in place of these; only ever used to report `evaluation`.
        data_warnings: what is to be said of the data, as known to whoever read them; among the result's warnings.
        on_progress: told about every micro-batch.
        should_stop: asked at step boundaries; returning a reason stops the run.
        engine: what encodes while nothing is trained, on a CPU: `torch`, `openvino`, or `auto` for OpenVINO where there
            is so much to encode that converting the base model pays. Preset `paper` always takes PyTorch.
        engine_dir: where converted models are kept; None for `~/.cache/pouf/engines`.
        loaded_base: the base model, which stays as it is; None to load the one that the request names.
        feature_cache: features that earlier runs over the same items have left, and room for this run's; None forgets
            them after the run. `FeatureCache(place=FeaturePlace(directory))` keeps them on disk.
        helpers: starts further processes that train item encoders with this one, each with a device of its own, see
            `pouf_core.adaptation.parallel`; None trains here alone.
        gives_base: whether `loaded_base` is given away instead: the run may change it, which saves a copy.
    """

    out: Path | None = None
    predictions_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    deterministic: bool | None = None
    micro_batch_size: int | None = None
    checkpoint_dir: Path | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    class_features: Any = None
    text_column: str | None = None
    label_column: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    labels: LabelsWanted = "auto"
    evaluation_labels: Mapping[str, str] = field(default_factory=dict)
    data_warnings: Sequence[Finding] = ()
    on_progress: OnProgress = lambda _: None
    should_stop: ShouldStop = lambda: None
    engine: EngineChoice = "auto"
    engine_dir: Path | None = None
    loaded_base: BaseModel | None = None
    gives_base: bool = False
    feature_cache: FeatureCache | None = None
    helpers: Helpers | None = None

    @property
    def reading(self) -> TextOptions:
        """What is known of files of texts, and of labels."""
        return TextOptions(self.text_column, self.label_column, self.delimiter, self.header, self.encoding)


class OptionKeywords(TypedDict, total=False):
    """The fields of `RunOptions` that `adapt` passes on as they are."""

    predictions_dir: Path | None
    device: str
    threads: int | None
    deterministic: bool | None
    micro_batch_size: int | None
    checkpoint_dir: Path | None
    checkpoint_seconds: float
    class_features: Any
    text_column: str | None
    label_column: str | None
    delimiter: str | None
    encoding: str | None
    header: bool | None
    labels: LabelsWanted
    feature_cache: FeatureCache | None
    engine: EngineChoice
    engine_dir: Path | None
