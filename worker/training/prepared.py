"""What is ready before the first job: imports, the default base model, and a process that has computed nothing."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from worker.training.asked_job import Job
from worker.training.child import Beginning

if TYPE_CHECKING:
    from pouf_core.families.interface import BaseModel


class Template:
    """What every job begins with: imports and the base model, and how many threads PyTorch would use.

    Args:
        base_model: name of the base model to load; None for none.

    Attributes:
        files: what the base model was loaded from, with sizes and times of change.
    """

    def __init__(self, base_model: str | None) -> None:
        import torch

        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        from PIL import Image

        import pouf_core.adaptation.run
        import pouf_core.dataset_prediction  # noqa: F401 - what jobs and batch predictions import
        from pouf_core.adaptation.class_languages import language_identifier
        from pouf_core.artifact import model_card_template

        Image.preinit()
        model_card_template()
        language_identifier()

        self._fresh_random_state = torch.get_rng_state()
        self._base: BaseModel | None = None
        self.files: dict[Path, tuple[int, int]] = {}
        if base_model is not None:
            from pouf_core.families.loading import load_base_model
            from pouf_core.families.registry import family_of

            self.files = stamps(family_of(base_model).files())
            self._base = load_base_model(base_model)
            self._base.sha256  # noqa: B018 - computed once for all jobs
        gc.collect()
        gc.freeze()

    def unfit(self) -> str | None:
        """Why no job can begin from this process any more; None while one can."""
        if stamps(self.files) != self.files:
            return "the files of its base model have changed"
        if psutil.Process().num_threads() != 1:
            return "it has more than one thread"
        return None

    def run(self, job: Job, shared_bytes: int) -> int:
        """Be the job's process; returns its exit status."""
        import numpy as np
        import torch

        job.take_pipes()
        torch.set_num_threads(self._threads)
        np.random.seed()  # as in any new process; PyTorch's state is that of a new process already

        def base_of(name: str) -> BaseModel | None:
            if self._base is not None and self._base.description.name == name:
                return self._base
            self._base = None
            torch.set_rng_state(self._fresh_random_state)
            return None

        beginning = Beginning(base_of, shared_bytes)
        status: int = import_module(job.module).main(job.spec_file, str(job.messages), beginning=beginning)
        return status


def stamps(files: Sequence[Path] | dict[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    """Size and time of change of each file; of one that is gone, zeros."""
    found = {}
    for path in files:
        try:
            status = path.stat()
            found[path] = status.st_size, status.st_mtime_ns
        except OSError:
            found[path] = 0, 0
    return found
