"""Embeddings on their way to the service. numpy is imported only where an array is to be saved."""

import base64
import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

#: A numpy array, or anything that numpy makes one of.
Vectors = Any


def save_vectors(
    folder: Path, vectors: Vectors, labels: Sequence[object] | None = None, names: Sequence[object] | None = None
) -> Path:
    """Write vectors, with a label or a name of each if there are any, to a file in `folder`; returns its path."""
    import numpy as np

    given = {"labels": labels, "names": names}
    # Any: to mypy, an array behind ** could be an option of savez
    beside: dict[str, Any] = {
        what: np.asarray(_as_texts(values), np.str_) for what, values in given.items() if values is not None
    }
    numbers = np.asarray(vectors)
    if not beside:
        path = folder / "embeddings.npy"
        np.save(path, numbers, allow_pickle=False)
    else:
        path = folder / "embeddings.npz"
        np.savez(path, features=numbers, **beside)
    return path


def _as_texts(values: Sequence[object]) -> list[str]:
    return ["" if value is None else str(value) for value in values]


def encode_vector(vector: Iterable[float]) -> str:
    """A vector as `embedding_base64` wants it."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
