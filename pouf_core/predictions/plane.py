"""Features in the plane: a map on which items that are alike lie together.

`python -m pouf_core.predictions.plane FEATURES PLANE` does it in a process of its own, since it takes seconds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pouf_core.predictions.stored import Features, open_features

Places = npt.NDArray[np.float32]
"""Places [m, 2] in the unit square."""

_COMPONENTS = 50  # as t-SNE's authors reduce features first (van der Maaten & Hinton, 2008, section 4.1)
_PERPLEXITY = 30.0
_STEPS = 500
_FEW = 5
_NICE = 10  # predictions go first


def in_the_plane(features: Features) -> Places:
    """Lay features [m, d] out by t-SNE; up to 4 by their principal components.

    The same features give the same places on the same machine.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    rows = features.astype(np.float32)
    differ = bool(rows.std(axis=0).any())
    if differ and len(rows) >= _FEW:
        rows = PCA(min(_COMPONENTS, *rows.shape), random_state=0).fit_transform(rows)
        perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
        start = np.pad(rows, ((0, 0), (0, 1)))[:, :2]
        start = 1e-4 * start / (start[:, 0].std() or 1.0)  # what scikit-learn's own `init` does
        rows = TSNE(perplexity=perplexity, max_iter=_STEPS, init=start, random_state=0, n_jobs=1).fit_transform(rows)
    elif differ:
        rows = PCA(1, random_state=0).fit_transform(rows)
    placed = np.pad(rows, ((0, 0), (0, 2)))[:, :2]
    low, high = placed.min(axis=0), placed.max(axis=0)
    found: Places = ((placed - low) / np.where(high > low, high - low, 1)).astype(np.float32)
    return found


def main(source: str, target: str) -> None:
    """Lay out the features of a folder of stored predictions, and write the places to a file."""
    os.nice(_NICE)
    features = open_features(Path(source))
    assert features is not None  # who starts this process has looked
    with Path(target).open("wb") as stream:
        np.save(stream, in_the_plane(features))


if __name__ == "__main__":
    main(*sys.argv[1:])
