"""Whether a job fits into memory, told before it is begun.

What is estimated is the least that the job takes, so that nothing is refused which might fit: the data, the classes and
the weights, as far as they are known before anything is loaded. Micro-batches shrink to whatever is left.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from pouf_core.contract.request import AdaptationRequest
from pouf_core.families.family import path_of
from pouf_core.system.memory_limit import USED_SHARE, all_memory, free_memory
from store import heartbeats
from store.job_datasets import all_ready, datasets_of
from store.queues import TRAIN
from store.settings import Settings
from store.tables import Dataset, Job
from store.transitions import transition
from store.unreadable import Unreadable
from worker.training.attempts import WAITING_FOR_MEMORY, fail
from worker.training.warm_start import may_use_gpu

logger = logging.getLogger(__name__)

CODE = "job_needs_more_memory"
#: Of float32 numbers, and times that the process holds them at its peak; measured, see docs/scaling.md.
NUMBER_BYTES, EMBEDDING_COPIES, SCORE_COPIES = 4, 3, 4
#: Items that a closed form is fitted to at most.
MOST_SCORED_ITEMS = 20_000
#: What a job adds to its process however small it is.
SMALLEST_BYTES = 90 * 2**20
#: Weights, their gradients and a moment of each, where all of them are trained.
TRAINED_COPIES = 3
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
#: Beginnings of what training leaves beside them.
_NO_WEIGHTS = ("optimizer", "scheduler", "scaler", "training_args", "rng_state")


@dataclass(frozen=True)
class Room:
    """Bytes of host memory that a job may take on this machine: at most, when nothing else runs, and now."""

    most: int
    now: int


def room_for_job(settings: Settings) -> Room | None:
    """What a worker of this machine has for a job; None where it may run on a GPU, of which nobody knows it before."""
    if may_use_gpu(settings.device):
        return None
    share, free = int(USED_SHARE * all_memory()), int(USED_SHARE * free_memory())
    if settings.job_memory_bytes is None:
        return Room(share, min(free, share))
    # The limit is the operator's word, whatever else runs.
    return Room(settings.job_memory_bytes, settings.job_memory_bytes)


def least_bytes(request: AdaptationRequest, target: Dataset) -> int:
    """The least that a job takes beside its process's code, in bytes.

    Args:
        request: what is asked for.
        target: its target data, which is ready.
    """
    embeddings = target.embeddings
    vectors = embeddings.rows * embeddings.width if embeddings is not None else 0
    scores = min(target.item_count, MOST_SCORED_ITEMS) * len(request.class_names)
    copies = TRAINED_COPIES if request.method.tune == "model" else 1
    numbers = NUMBER_BYTES * (EMBEDDING_COPIES * vectors + SCORE_COPIES * scores)
    return SMALLEST_BYTES + numbers + copies * _weight_bytes(path_of(request.base_model))


def _weight_bytes(path: Path | None) -> int:
    """Of a checkpoint on this machine: its file, or the largest of a directory's; 0 where none is found."""
    try:
        if path is None or path.is_file():
            return 0 if path is None else path.stat().st_size
        return max((file.stat().st_size for file in path.iterdir() if _holds_weights(file)), default=0)
    except OSError:
        return 0


def _holds_weights(file: Path) -> bool:
    return file.suffix in _WEIGHTS and not file.name.startswith(_NO_WEIGHTS)


def admit(session: Session, job: Job, room: Room) -> bool:
    """Whether a queued job may be begun in this room; else it waits for another worker, or fails if none has enough.

    Args:
        session: in whose transaction the job waits or fails.
        job: locked by the caller.
        room: of this worker.
    """
    datasets = datasets_of(session, job)
    if isinstance(job.request, Unreadable) or not all_ready(datasets):
        return True  # beginning it says what is wrong
    needed = least_bytes(job.request, datasets[0])
    if needed <= room.now:
        return True
    others = heartbeats.job_memory(session, TRAIN.queue)
    if needed <= room.most or any(most is None or needed <= most for most in others):
        if job.stage != WAITING_FOR_MEMORY:  # it is looked at again and again
            free = _gibibytes(room.now)
            logger.warning(
                "Job %s waits: it takes %s of memory or more, and here %s are free.", job.id, _gibibytes(needed), free
            )
        transition(session, job, "queued", stage=WAITING_FOR_MEMORY)
    else:
        fail(session, job, CODE, _message(needed, max([room.most, *(most or 0 for most in others)])))
    return False


def _message(needed: int, most: int) -> str:
    return (
        f"The job takes {_gibibytes(needed)} of memory or more, and no worker may give one more than "
        f"{_gibibytes(most)}. Use fewer items or classes, a smaller base model, or a machine with more memory; "
        "POUF_JOB_MEMORY_BYTES says what a worker may give."
    )


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
