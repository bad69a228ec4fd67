"""The process that trains one attempt of one job: `python -m worker.child SPEC_FILE MESSAGE_FD`.

It knows neither the database nor the broker. It lives only as long as its stdin is open.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import os
import sys
import threading
import traceback
from pathlib import Path

from pouf_core.errors import AdaptationStopped, PoufError
from pouf_core.progress import Progress
from worker.protocol import (
    STOP_COMMAND,
    ErrorMessage,
    JobSpec,
    Message,
    ProgressMessage,
    ResultMessage,
    StoppedMessage,
    encode,
)

EXIT_ORPHANED = 70
INTERNAL_ERROR = ErrorMessage(code="internal_error", message="Training failed unexpectedly; the job's log has details.")


class StopRequest:
    """The reason to stop, once the runner has given one."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self) -> str | None:
        return self.reason


def listen(stop: StopRequest) -> None:
    """Read commands until the runner is gone, then end this process without any clean-up."""
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
        self.send(ProgressMessage(**dataclasses.asdict(progress)))


def run(spec: JobSpec, reporter: Reporter, stop: StopRequest) -> Message:
    """Adapt as the specification says; the last message is the outcome."""
    try:
        import pouf_core
        from pouf_core.runtime import keep_freed_memory

        keep_freed_memory()
        result = pouf_core.adapt(
            spec.items,
            spec.class_names,
            base_model=spec.base_model,
            prompt_template=spec.prompt_template,
            method=spec.method,
            seed=spec.seed,
            out=spec.artifact_dir,
            on_progress=reporter.progress,
            device=spec.device,
            threads=spec.threads,
            checkpoint_dir=spec.checkpoint_dir,
            checkpoint_seconds=spec.checkpoint_seconds,
            should_stop=stop,
            evaluation_labels=spec.evaluation_labels or None,
        )
    except AdaptationStopped as error:
        return StoppedMessage(reason=error.code)
    except PoufError as error:
        return ErrorMessage(code=error.code, message=error.message)
    except MemoryError:
        traceback.print_exc()
        return ErrorMessage(code="out_of_memory", message="The host ran out of memory while training.")
    except Exception:  # noqa: BLE001 - the last resort of this process: reported by code, traceback kept in the log
        traceback.print_exc()
        return INTERNAL_ERROR
    return ResultMessage(
        artifact=result.path,
        method=result.method,
        metrics=result.metrics,
        evaluation=result.evaluation,
        warnings=result.warnings,
        verdict=result.verdict,
        fallback=result.fallback,
        selected_step=result.selected_step,
        seconds=result.seconds,
    )


def main(spec_file: str, message_fd: str) -> int:
    """Run the job of a specification file; 0 whenever an outcome was reported."""
    faulthandler.enable()
    stop = StopRequest()
    threading.Thread(target=listen, args=(stop,), daemon=True, name="runner-pipe").start()
    reporter = Reporter(int(message_fd))
    spec = JobSpec.model_validate_json(Path(spec_file).read_bytes())
    reporter.send(run(spec, reporter, stop))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
