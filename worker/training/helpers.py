"""The processes that train an item encoder together with a job's, a GPU each: `POUF_GPUS_PER_JOB`.

The job's process does not outlive one that is lost: the attempt is lost, and the next begins with all of them.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from worker.training.messages import JobSpec

if TYPE_CHECKING:
    import torch

    from pouf_core.adaptation.inputs import Helpers

logger = logging.getLogger(__name__)

EXIT_HELPER_LOST = 71
#: The module that a helper runs.
HELPER = "worker.training.helper"
_TRIES = 50  # a tenth of a second each
_LEADER = 0


def helpers_of(spec: JobSpec, device: torch.device) -> Helpers | None:
    """What starts a job's helpers; None where it has one GPU, or none."""
    import torch

    processes = min(spec.processes, torch.cuda.device_count()) if device.type == "cuda" else 1
    return partial(helpers, spec, processes, device) if processes > 1 else None


@contextmanager
def helpers(spec: JobSpec, processes: int, device: torch.device) -> Iterator[None]:
    """Lead a process group: the other processes are started, and end with the block.

    Args:
        spec: the job's.
        processes: how many there are with this one.
        device: this one's.
    """
    from pouf_core.adaptation.parallel import process_group

    spec_file = spec.artifact_dir.with_name(f"helpers-{uuid.uuid4().hex}.json")
    spec_file.write_text(spec.model_dump_json())
    meeting = spec_file.with_suffix(".meeting")
    started: list[subprocess.Popen[bytes]] = []
    over = threading.Event()
    try:
        for rank in range(1, processes):
            started.append(_start(spec_file, meeting, rank, processes))
        threading.Thread(target=_end_with_them, args=(started, over), daemon=True, name="helpers").start()
        with process_group(meeting, _LEADER, processes, device):
            try:
                yield
            except RuntimeError:  # what a process group raises when one of its processes is lost
                _await_the_end_of_one(started)
                raise
            finally:
                over.set()
    finally:
        over.set()
        for process in started:
            process.kill()
            process.wait()


def _start(spec_file: Path, meeting: Path, rank: int, processes: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", HELPER, str(spec_file), str(meeting), str(rank), str(processes)]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def _await_the_end_of_one(started: list[subprocess.Popen[bytes]]) -> None:
    """Give a process that was lost time to be gone; this process then ends as well."""
    for _ in range(_TRIES):
        if any(process.poll() for process in started):
            os._exit(EXIT_HELPER_LOST)
        time.sleep(0.1)


def _end_with_them(started: list[subprocess.Popen[bytes]], over: threading.Event) -> None:
    """End this process, without any clean-up, when one of them ends before its time."""
    while not over.wait(1.0):
        lost = [process.pid for process in started if process.poll()]
        if lost:
            logger.error("Process %s, which trained for this one, ended with an error.", lost[0])
            os._exit(EXIT_HELPER_LOST)
