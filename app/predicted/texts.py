"""Whole texts of a dataset, of which the database has the beginnings."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from pouf_core.predictions.stored import Integers


class WholeTexts:
    """The texts of a file of JSON lines, as ingestion wrote it: a line an item, in the order of the items' ids.

    Args:
        path: the file.
        ids: of the n items, ascending.

    Raises:
        ValueError: the file does not have n lines.
    """

    def __init__(self, path: Path, ids: Sequence[int]) -> None:
        self._ids: Integers = np.fromiter(ids, np.int64, len(ids))
        self._stream = path.open("rb")
        lengths = np.fromiter(map(len, self._stream), np.int64)
        if len(lengths) != len(self._ids):
            self._stream.close()
            raise ValueError(f"{path} holds {len(lengths)} texts, not {len(self._ids)}")
        self._starts = np.cumsum(lengths) - lengths

    def of(self, item_id: int) -> tuple[str, str | None]:
        """Return an item's text, or both texts of a pair."""
        self._stream.seek(int(self._starts[np.searchsorted(self._ids, item_id)]))
        fields = json.loads(self._stream.readline())
        return (fields["text"], None) if "text" in fields else (fields["text_a"], fields["text_b"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
