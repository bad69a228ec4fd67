"""The process that predicts a dataset.

`python -m worker.batch_predictions.child SPEC_FILE MESSAGE_FD`

It knows neither the database nor the broker. It lives only as long as its stdin is open.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from pouf_core.contract.progress import Progress
from pouf_core.errors import AdaptationStopped
from pouf_core.system.memory_limit import limit_host_memory
from worker.batch_predictions.spec import BatchSpec
from worker.training.child import (
    COLD,
    Beginning,
    Reporter,
    StopRequest,
    connect,
    feature_cache,
    outcome_of,
    target_data,
)
from worker.training.messages import Message, PredictedMessage


class _Told:
    """Passes on how far it is, and stops between batches."""

    def __init__(self, reporter: Reporter, stop: StopRequest) -> None:
        self._reporter = reporter
        self._stop = stop

    def predicted(self, done: int, total: int) -> None:
        self._send(done, total, None)

    def durable(self, done: int, total: int) -> None:
        self._send(done, total, done)

    def _send(self, done: int, total: int, durable: int | None) -> None:
        self._reporter.progress(Progress(stage="encoding", step=done, total_steps=total, checkpoint_step=durable))
        if self._stop.reason:
            raise AdaptationStopped(self._stop.reason, "The prediction was asked to stop.")


def predict(spec: BatchSpec, reporter: Reporter, stop: StopRequest, beginning: Beginning = COLD) -> Message:
    """Predict as the specification says, within the memory that it may take."""
    from pouf_core.adaptation.embeddings import collect
    from pouf_core.contract.base_model import Modality
    from pouf_core.dataset_prediction import load_for_dataset, predict_dataset
    from pouf_core.system.memory import keep_freed_memory
    from pouf_core.system.runtime import choose_device, use_threads

    device = choose_device(spec.device)
    if device.type == "cpu":
        limit_host_memory(spec.memory_bytes, beginning.shared_bytes)
        keep_freed_memory()
    use_threads(spec.threads)
    modality: Modality = "text" if spec.texts else "embedding" if spec.embeddings else "image"
    items, _ = collect(target_data(spec), modality)
    reporter.progress(Progress(stage="loading_base", step=0, total_steps=1))
    predictor = load_for_dataset(
        spec.artifact,
        len(items),
        device=device,
        engine=spec.engine,
        engine_dir=spec.engine_dir,
        precision=spec.precision,
        base_of=beginning.base_of if device.type == "cpu" else COLD.base_of,
    )
    told = _Told(reporter, stop)
    told.predicted(0, len(items))
    predict_dataset(
        predictor,
        items,
        spec.predictions_dir,
        spec.parts_dir,
        device=device,
        cache=feature_cache(spec),
        variant=spec.variant,
        threshold=spec.threshold,
        at_once=spec.items_at_once,
        on_predicted=told.predicted,
        on_durable=told.durable,
    )
    return PredictedMessage(predictions=spec.predictions_dir)


def main(spec_file: str, message_fd: str, *, beginning: Beginning = COLD) -> int:
    """Run the batch prediction of a specification file; 0 whenever an outcome was reported."""
    reporter, stop = connect(message_fd)
    spec = BatchSpec.model_validate_json(Path(spec_file).read_bytes())
    reporter.send(outcome_of(partial(predict, spec, reporter, stop, beginning), spec))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
