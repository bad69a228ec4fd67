"""Embeddings on their way to the service. numpy is imported only where an array is to be saved."""

import base64
import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

#: A numpy array, or anything that numpy makes one of.
Vectors = Any


def save_vectors(folder: Path, vectors: Vectors, labels: Sequence[str] | None) -> Path:
    """Write vectors, with labels if there are any, to a file in `folder`; returns its path."""
    import numpy as np

    numbers = np.asarray(vectors)
    if labels is None:
        path = folder / "embeddings.npy"
        np.save(path, numbers, allow_pickle=False)
    else:
        path = folder / "embeddings.npz"
        np.savez(path, features=numbers, labels=np.asarray(labels, dtype=np.str_))
    return path


def encode_vector(vector: Iterable[float]) -> str:
    """A vector as `embedding_base64` wants it."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
