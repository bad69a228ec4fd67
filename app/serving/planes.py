"""Maps of features: laid out once a model, one at a time in a process of its own; owners take turns."""

import io
import logging
import subprocess
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Literal

import numpy as np

from app.serving.turns import TurnThreads
from pouf_core.data.limited_process import describe_end
from pouf_core.data.tied_run import run_tied
from pouf_core.predictions.plane import Places
from pouf_core.predictions.stored import open_features
from store.disk import is_disk_full
from store.storage import Storage

logger = logging.getLogger(__name__)

MODULE = "pouf_core.predictions.plane"
PLANE = "plane.npy"
MOST_SECONDS = 300.0
#: Beyond, maps are asked for again later.
MOST_WAITING = 20
_LOGGED_BYTES = 2000


class Planes:
    """Makes maps, and keeps them beside the predictions, with which they go."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._threads = TurnThreads(1, "planes")
        self._lock = threading.Lock()
        self._made: dict[str, Future[None]] = {}

    def find(self, predictions_key: str, owner: str) -> Places | Literal["none", "under_way"]:
        """Return the places of the first items in the plane.

        `under_way` while they are being laid out, which begins by this call; `none` where no features were kept, or
        they cannot be laid out. Raises `StorageUnavailable`.
        """
        key = f"{predictions_key}/{PLANE}"
        try:
            # a copy of one file on this host would be taken for a copy of its whole folder
            with self._storage.open(key) as stream:
                places: Places = np.load(io.BytesIO(stream.read()), allow_pickle=False)
            return places
        except (FileNotFoundError, ValueError):
            pass
        if key not in self._made and not self._has_features(predictions_key):
            return "none"
        with self._lock:
            made = self._made.get(key)
            if made is None:
                if sum(not other.done() for other in self._made.values()) < MOST_WAITING:
                    self._made[key] = self._threads.submit(owner, lambda: self._make(predictions_key, key))
                return "under_way"
        # what failed stays, so that it is not tried with every look at the page
        return "none" if made.done() and made.exception() is not None else "under_way"

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()

    def _make(self, predictions_key: str, key: str) -> None:
        try:
            with self._storage.in_use(predictions_key):
                self._lay_out(self._storage.local_directory(predictions_key), key)
        except Exception as error:
            if not _passes(error):
                raise
            logger.warning("No map was made, which will be tried again.", exc_info=True)
        with self._lock:
            del self._made[key]

    def _lay_out(self, folder: Path, key: str) -> None:
        with tempfile.TemporaryDirectory(prefix="pouf-plane-") as scratch:
            target = Path(scratch) / PLANE
            ran = run_tied(MODULE, str(folder), str(target), seconds=MOST_SECONDS)
            if ran.returncode:
                said = ran.stderr[-_LOGGED_BYTES:].decode(errors="replace")
                logger.warning("No map: %s", said)
                raise RuntimeError(f"no map was made: {describe_end(ran.returncode)}: {said}")
            self._storage.put_file(key, target)

    def _has_features(self, predictions_key: str) -> bool:
        try:
            with self._storage.in_use(predictions_key):
                return open_features(self._storage.local_directory(predictions_key)) is not None
        except (ValueError, EOFError) as error:
            logger.warning("No map: %s", error)
            return False


def _passes(error: Exception) -> bool:
    """Whether a map may be had later: after an outage, on a machine with less to do, on a disk that is not full."""
    return isinstance(error, OSError | subprocess.TimeoutExpired) or is_disk_full(error)
