"""The stored form of a dataset's predictions: one record an item, in order of content hash.

A folder with `predictions.json`, a `PredictionsHeader`, and `predictions.npy`, records of 60 bytes that are mapped into
memory. Names, texts and labels of items are no part of it: an item is known by the SHA-256 of its content. After an
adaptation three more are there: `features.npy`, features of the first items, for a map of them; `clusters.npy`, the
cluster of each item, for reviews that spread over them; and `other`, such a folder for the variant that was not served,
for the day on which a review changes which one is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.predictions import PredictionsHeader

HEADER, RECORDS, FEATURES, CLUSTERS = "predictions.json", "predictions.npy", "features.npy", "clusters.npy"
OTHER = "other"

#: Classes are places in the header's `class_names`; `label` is the most probable class, of items without one too.
RECORD = np.dtype(
    [
        ("sha256", "u1", 32),
        ("label", "<i4"),
        ("runner_up", "<i4"),
        ("zero_shot_label", "<i4"),
        ("adapted_label", "<i4"),
        ("probability", "<f4"),
        ("runner_up_probability", "<f4"),
        ("zero_shot_probability", "<f4"),
    ]
)

Records = npt.NDArray[np.void]
"""Records [n] of type `RECORD`."""
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Features = npt.NDArray[np.float16]
"""Unit-length features [m, d] of the first m items, which are a random sample: items are in order of content hash."""
Clusters = npt.NDArray[np.int16]
"""The cluster [n] of each item."""

MOST_MAPPED = 2000
_MOST_NUMBERS = 4_000_000


@dataclass(frozen=True)
class StoredPredictions:
    """Predictions of n items, or of some of them.

    Attributes:
        header: of all.
        records: [n], in order of `sha256` as they are stored; `records["label"]` and so on are columns [n].
    """

    header: PredictionsHeader
    records: Records

    def __len__(self) -> int:
        """n."""
        return len(self.records)

    @property
    def margin(self) -> npt.NDArray[np.float32]:
        """Probability [n] of the class above that of the runner-up."""
        found: npt.NDArray[np.float32] = self.records["probability"] - self.records["runner_up_probability"]
        return found

    @property
    def changed(self) -> Booleans:
        """Whether [n] the class is another than the base model's own."""
        found: Booleans = self.records["label"] != self.records["zero_shot_label"]
        return found

    @property
    def answered(self) -> Booleans:
        """Whether [n] an item gets its class; the others are below the threshold."""
        found: Booleans = self.records["probability"] >= np.float32(self.header.threshold)
        return found

    @property
    def accepted(self) -> Booleans:
        """Whether [n] an item needs no review."""
        if self.header.accepted_from is None:
            return np.zeros(len(self), dtype=np.bool_)
        sure: Booleans = self.records["probability"] >= np.float32(self.header.accepted_from)
        return sure & self.answered

    def rows(self, which: slice | Integers | Booleans) -> StoredPredictions:
        """Some of them."""
        return StoredPredictions(self.header, self.records[which])

    @property
    def hashes(self) -> list[str]:
        """Content hashes of the n items, in hexadecimal digits."""
        return [digest.tobytes().hex() for digest in self.records["sha256"]]

    def find(self, hashes: Sequence[str]) -> Integers:
        """Where [m] in `records`, in stored order, the items with m content hashes are; -1 for nowhere."""
        digests = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)
        known, wanted = self._known, _sortable(digests)
        places = np.searchsorted(known, wanted)
        found = places < len(known)
        found[found] = known[places[found]] == wanted[found]
        return np.where(found, places, -1)

    @cached_property
    def _known(self) -> npt.NDArray[np.bytes_]:
        return _sortable(self.records["sha256"])

    def counts(self) -> tuple[Integers, Integers]:
        """Items [K] of each class by the base model's own classifier, and by the one that is served."""
        size = len(self.header.class_names)
        before, after = (np.bincount(self.records[name], minlength=size) for name in ("zero_shot_label", "label"))
        return before, after


@contextmanager
def writing_predictions(directory: Path, header: PredictionsHeader) -> Iterator[Callable[[Records], None]]:
    """Make a folder of stored predictions; what is returned takes some records at a time.

    Raises:
        ValueError: the records are not `header.item_count` in order of content hash.
    """
    directory.mkdir(parents=True, exist_ok=True)
    count, last = 0, np.empty(0, "S32")
    with (directory / RECORDS).open("wb") as stream:
        shape: dict[str, Any] = {"descr": RECORD.descr, "fortran_order": False, "shape": (header.item_count,)}
        np.lib.format.write_array_header_1_0(stream, shape)

        def write(piece: Records) -> None:
            nonlocal count, last
            order = np.concatenate([last, _sortable(piece["sha256"])])
            if np.any(order[1:] <= order[:-1]):
                raise ValueError("predictions are not in order of content hash")
            count, last = count + len(piece), order[-1:]
            stream.write(piece.tobytes())

        yield write
    if count != header.item_count:
        raise ValueError(f"{count} predictions of {header.item_count} items")
    (directory / HEADER).write_text(header.model_dump_json())


def write_predictions(directory: Path, header: PredictionsHeader, pieces: Iterable[Records]) -> None:
    """Make a folder of stored predictions from its pieces; raises as `writing_predictions`."""
    with writing_predictions(directory, header) as write:
        for piece in pieces:
            write(piece)


def mapped_count(items: int, width: int) -> int:
    """How many of so many items have their features of `width` numbers stored: 2,000, and less than 8 MB."""
    return min(items, MOST_MAPPED, _MOST_NUMBERS // width)


def write_features(directory: Path, features: Features) -> None:
    """Add the features of the first items to a folder of stored predictions."""
    np.save(directory / FEATURES, features)


def open_features(directory: Path) -> Features | None:
    """Read what `write_features` added; None where nothing was.

    Raises:
        ValueError: it is damaged.
    """
    try:
        found: Features = np.load(directory / FEATURES, allow_pickle=False)
    except FileNotFoundError:
        return None
    if found.dtype != np.float16 or found.ndim != 2:
        raise ValueError(f"{directory / FEATURES} does not hold features")
    return found


def write_clusters(directory: Path, clusters: Clusters) -> None:
    """Add the clusters of all items to a folder of stored predictions."""
    np.save(directory / CLUSTERS, clusters)


def open_clusters(directory: Path, count: int) -> Clusters:
    """Read what `write_clusters` added; one cluster of all items where nothing was.

    Raises:
        ValueError: it is damaged, or not of `count` items.
    """
    try:
        found: Clusters = np.load(directory / CLUSTERS, allow_pickle=False)
    except FileNotFoundError:
        return np.zeros(count, np.int16)
    if found.dtype != np.int16 or found.shape != (count,):
        raise ValueError(f"{directory / CLUSTERS} does not hold {count} clusters")
    return found


def open_predictions(directory: Path, variant: VariantName | None = None) -> StoredPredictions:
    """Read a folder that `write_predictions` made; the records stay on disk.

    Args:
        directory: the folder.
        variant: which one's predictions to read if they are there; None for what was served when they were made.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is damaged.
    """
    header = PredictionsHeader.model_validate_json((directory / HEADER).read_bytes())
    if variant not in (None, header.variant) and (directory / OTHER / HEADER).exists():
        return open_predictions(directory / OTHER)
    records = np.load(directory / RECORDS, mmap_mode="r", allow_pickle=False)
    if records.dtype != RECORD or records.shape != (header.item_count,):
        raise ValueError(f"{directory / RECORDS} does not hold {header.item_count} predictions")
    return StoredPredictions(header, records)


def _sortable(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.bytes_]:
    """Content hashes [n, 32] as byte strings [n], which compare as they do."""
    return np.ascontiguousarray(digests).view("S32").ravel()
