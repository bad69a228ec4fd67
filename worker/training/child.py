"""The process that trains one attempt of one job.

`python -m worker.training.child SPEC_FILE MESSAGE_FD [MICRO_BATCH_SIZE]`, or a copy of `worker.training.template`.

It knows neither the database nor the broker. It lives only as long as its stdin is open.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.progress import OnProgress, Progress
from pouf_core.contract.result import AdaptationResult
from pouf_core.errors import AdaptationStopped, PoufError
from pouf_core.system.memory_limit import limit_host_memory
from store.disk import is_disk_full
from store.outages import is_outage
from worker.training.messages import (
    STOP_COMMAND,
    ErrorMessage,
    JobSpec,
    Message,
    PostponedMessage,
    ProgressMessage,
    ResultMessage,
    StoppedMessage,
    WorkSpec,
    encode,
)

if TYPE_CHECKING:
    from pouf_core.adaptation.embeddings import TargetData
    from pouf_core.data.embeddings import Floats
    from pouf_core.families.interface import BaseModel
    from pouf_core.feature_cache.cache import FeatureCache

EXIT_ORPHANED = 70
INTERNAL_ERROR = ErrorMessage(code="internal_error", message="Training failed unexpectedly; the job's log has details.")


@dataclass(frozen=True)
class Beginning:
    """What this process had when it began.

    Attributes:
        base_of: a base model's name to that base model, to be used up; None where it is not there and has to be loaded.
        shared_bytes: bytes of its data that are a copy of another process's.
    """

    base_of: Callable[[str], BaseModel | None] = lambda _: None
    shared_bytes: int = 0


#: A process started for this job.
COLD = Beginning()


class StopRequest:
    """The reason to stop, once the runner has given one."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self) -> str | None:
        return self.reason


def listen(stop: StopRequest) -> None:
    """Read commands until whoever started this process is gone, then end it without any clean-up."""
    for line in sys.stdin:
        command, _, reason = line.strip().partition(" ")
        if command == STOP_COMMAND:
            stop.reason = reason
    os._exit(EXIT_ORPHANED)


class Reporter:
    """Writes messages to the runner, each whole."""

    def __init__(self, fd: int) -> None:
        self._pipe = os.fdopen(fd, "wb", buffering=0)
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        remaining = memoryview(encode(message))
        with self._lock:
            while remaining:
                remaining = remaining[self._pipe.write(remaining) :]

    def progress(self, progress: Progress) -> None:
        self.send(ProgressMessage(progress=progress))


def connect(message_fd: str) -> tuple[Reporter, StopRequest]:
    """What sends messages to the runner, by the number of its pipe, and what it has asked for so far."""
    faulthandler.enable()
    stop = StopRequest()
    threading.Thread(target=listen, args=(stop,), daemon=True, name="runner-pipe").start()
    return Reporter(int(message_fd)), stop


class StartOver(Exception):
    """Host memory ran out: a fresh process is to go on from the last checkpoint with this micro-batch."""

    def __init__(self, micro_batch_size: int) -> None:
        super().__init__(micro_batch_size)
        self.micro_batch_size = micro_batch_size


class MemoryWatch:
    """Passes progress on; raises `StartOver` at the first lack of host memory.

    Freed memory is kept for speed, in pieces that other tensors may not fit, so that smaller micro-batches need a
    process whose memory is whole.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._micro_batch_size = 1

    def __call__(self, progress: Progress) -> None:
        self._reporter.progress(progress)
        if isinstance(progress.method, ResolvedMethod):  # a baseline trains nothing and has none
            self._micro_batch_size = progress.method.micro_batch_size
        if progress.warning and progress.warning.code == "micro_batch_reduced":
            raise StartOver(max(1, self._micro_batch_size // 2))


def run(
    spec: JobSpec,
    reporter: Reporter,
    stop: StopRequest,
    micro_batch_size: int | None,
    beginning: Beginning = COLD,
) -> Message:
    """Adapt as the specification says; the last message is the outcome.

    Raises:
        StartOver: host memory ran out.
    """

    def work() -> Message:
        result = adapt(spec, reporter, stop, micro_batch_size, beginning)
        return ResultMessage(artifact=result.path, predictions=spec.predictions_dir, result=result)

    return outcome_of(work, spec)


def outcome_of(work: Callable[[], Message], spec: WorkSpec) -> Message:
    """What work came to, or why it came to nothing; raises `StartOver`."""
    try:
        return work()
    except AdaptationStopped as error:
        return StoppedMessage(reason=error.code)
    except StartOver:
        raise
    except PoufError as error:
        return ErrorMessage(code=error.code, message=error.message)
    except MemoryError:
        traceback.print_exc()
        return ErrorMessage(code="out_of_memory", message="The host ran out of memory while training.")
    except Exception as error:  # noqa: BLE001 - the last resort of this process: reported, traceback kept in the log
        if is_disk_full(error):  # nothing more is printed, then: the log may be on the same disk
            return PostponedMessage(reason=f"{type(error).__name__}: {error}")
        if isinstance(error, OSError) and (is_outage(error) or not all(path.exists() for path in spec.files)):
            return PostponedMessage(reason=f"{type(error).__name__}: {error}", lack="storage_unavailable")
        traceback.print_exc()
        return INTERNAL_ERROR


def adapt(
    spec: JobSpec, reporter: Reporter, stop: StopRequest, micro_batch_size: int | None, beginning: Beginning
) -> AdaptationResult:
    """Run the adaptation, within the memory that it may take."""
    import pouf_core
    from pouf_core.system.memory import keep_freed_memory
    from pouf_core.system.runtime import choose_device
    from worker.training.helpers import helpers_of

    on_progress: OnProgress = reporter.progress
    base, device = None, choose_device(spec.device)
    if device.type == "cpu":  # CUDA reserves far more address space than it uses
        limit_host_memory(spec.memory_bytes, beginning.shared_bytes)
        keep_freed_memory()
        base = beginning.base_of(spec.request.base_model)
        on_progress = MemoryWatch(reporter)
    options = pouf_core.RunOptions(
        out=spec.artifact_dir,
        predictions_dir=spec.predictions_dir,
        device=spec.device,
        threads=spec.threads,
        deterministic=spec.deterministic,
        engine=spec.engine,
        engine_dir=spec.engine_dir,
        micro_batch_size=micro_batch_size,
        checkpoint_dir=spec.checkpoint_dir,
        checkpoint_seconds=spec.checkpoint_seconds,
        class_features=_class_features(spec),
        feature_cache=feature_cache(spec),
        evaluation_labels=spec.evaluation_labels,
        data_warnings=spec.data_warnings,
        on_progress=on_progress,
        should_stop=stop,
        helpers=helpers_of(spec, device),
        loaded_base=base,
        gives_base=True,
    )
    return pouf_core.run(spec.request, target_data(spec), options)


def target_data(spec: WorkSpec) -> TargetData:
    """The items, as an adaptation takes them."""
    from pouf_core.data.embedding_storage import load_embeddings
    from pouf_core.data.items import Item

    if spec.embeddings is not None:
        return load_embeddings(spec.embeddings).items
    return spec.texts or [Item(sha256, path) for sha256, path in spec.pictures.items()]


def feature_cache(spec: WorkSpec) -> FeatureCache:
    """The features that the owner's work shares."""
    from pouf_core.feature_cache.cache import FeatureCache
    from pouf_core.feature_cache.place import FeaturePlace

    if spec.feature_dir is None:
        return FeatureCache()
    place = FeaturePlace(spec.feature_dir, spec.feature_bytes, spec.feature_dir.parent, spec.least_free_bytes)
    return FeatureCache(place=place)


def _class_features(spec: JobSpec) -> Floats | None:
    from pouf_core.data.embedding_storage import load_embeddings

    if spec.class_features is None:
        return None
    return load_embeddings(spec.class_features).as_class_features(len(spec.request.class_names))


def main(spec_file: str, message_fd: str, micro_batch_size: str = "", *, beginning: Beginning = COLD) -> int:
    """Run the job of a specification file; 0 whenever an outcome was reported."""
    reporter, stop = connect(message_fd)
    spec = JobSpec.model_validate_json(Path(spec_file).read_bytes())
    try:
        reporter.send(run(spec, reporter, stop, int(micro_batch_size) if micro_batch_size else None, beginning))
    except StartOver as again:
        arguments = ["-m", "worker.training.child", spec_file, message_fd, str(again.micro_batch_size)]
        os.execv(sys.executable, [sys.executable, *arguments])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
