"""What users do meanwhile: upload pictures, submit jobs, wait for them, fetch the models."""

from __future__ import annotations

import hashlib
import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from pouf_client import ApiError, Client, ClientError, JobFailed, Unreachable

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

CLASSES = ["boat", "smiley face"]
#: Tasks of seconds. Those that train have several checkpoints; step and data decide everything, so the last step is as
#: good as any. The default, which tries closed forms first, begins anew after every fault.
TASKS: list[dict[str, Any]] = [
    {"seed": 1, "method": {"tune": "prompt", "max_steps": 12, "batch_size": 8, "selection": "last"}},
    {"seed": 2, "method": {"tune": "head", "max_steps": 40, "batch_size": 8, "selection": "last"}},
    {"seed": 3},
]

TIMEOUT_SECONDS = 20.0
RETRIES = 200
PAUSE_SECONDS = 1.0
#: Answers after which a user tries again, as those of `client.connection` are not: it never sends these twice.
PASSING = frozenset({503, 507})


@dataclass
class Submission:
    """One job as its user knows it; `weights` is the hash of the model that came back."""

    number: int
    task: int
    job_id: str | None = None
    attempts: int = 0
    weights: str | None = None
    error: str | None = None


class User:
    """Does one job from upload to model at a time, however often a request has to be sent."""

    def __init__(self, url: str, pictures: Path) -> None:
        self._url = url
        self._pictures = pictures

    def run(self, submission: Submission) -> Submission:
        """Fill in what happened."""
        with Client(self._url, timeout=TIMEOUT_SECONDS, retries=RETRIES) as client:
            try:
                self._run(client, submission)
            except ClientError as error:
                submission.error = f"{type(error).__name__}: {error}"
                logger.exception("Job %s did not get through.", submission.number)
        return submission

    def _run(self, client: Client, submission: Submission) -> None:
        task = TASKS[submission.task]
        name = f"chaos {submission.number}"
        dataset = persistently(lambda: client.datasets.create(self._pictures, name=name))
        submission.job_id = persistently(lambda: client.jobs.create(dataset.id, CLASSES, name=name, **task)).id
        job_id = submission.job_id
        job = persistently(lambda: client.jobs.wait(job_id))
        submission.attempts = job.attempt
        submission.weights = persistently(lambda: weights_of(client, job.model_id or ""))


def persistently(request: Callable[[], Result]) -> Result:
    """The answer, asked for again after errors that pass."""
    while True:
        try:
            return request()
        except JobFailed:
            raise
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and error.status not in PASSING:
                raise
            logger.info("Asking again: %s", error)
            time.sleep(PAUSE_SECONDS)


def weights_of(client: Client, model_id: str) -> str:
    """The SHA-256 of a model's trained tensors."""
    with TemporaryDirectory(prefix="pouf-chaos-") as folder:
        model = client.models.download(model_id, Path(folder) / "model")
        return hashlib.sha256((model / "adapter.safetensors").read_bytes()).hexdigest()


def begin(work: Callable[[], Result]) -> Future[Result]:
    """Do the work in a thread that keeps nobody from ending: a user whose job was lost waits for ever."""
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer to who asks
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


class Workload:
    """Users who submit one job after the other until told to stop."""

    def __init__(self, user: User, users: int) -> None:
        self._user = user
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._users: list[Future[None]] = []
        self._count = users
        self.submissions: list[Submission] = []

    def start(self) -> None:
        self._users = [begin(self._submit_one_after_the_other) for _ in range(self._count)]

    def stop(self) -> None:
        """Let every user finish the current job and submit no more."""
        self._stopped.set()

    def ended(self) -> bool:
        """Whether all users are done; raises what one of them did not expect."""
        done = [user for user in self._users if user.done()]
        for user in done:
            user.result()
        return len(done) == len(self._users)

    @property
    def submitted(self) -> int:
        return sum(submission.job_id is not None for submission in self.submissions)

    def _submit_one_after_the_other(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                number = next(self._numbers)
                submission = Submission(number, number % len(TASKS))
                self.submissions.append(submission)
            self._user.run(submission)
