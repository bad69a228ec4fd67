"""Labels of the rows of embeddings, by a table beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from pouf_core.contract.counts import counted
from pouf_core.contract.findings import finding
from pouf_core.contract.labels import LabelFile, LabelSource, LabelsWanted
from pouf_core.data.file_kinds import LABELS_FILE
from pouf_core.data.item_names import ItemName
from pouf_core.data.labels.files import decoded
from pouf_core.data.labels.labelling import Labelling, as_wanted
from pouf_core.data.labels.tables import labels_of_rows, unreadable
from pouf_core.data.labels.text_labels import TextLabels

NumberedLabels = list[tuple[int, str | None]]


@dataclass(frozen=True)
class _Table:
    name: str
    rows: NumberedLabels
    is_indexed: bool


def row_labels(data: bytes, most_rows: int) -> tuple[bool, NumberedLabels]:
    """Rows and their labels, as `labels_of_rows` has them, at most one more than `most_rows`.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    is_indexed, numbered = labels_of_rows(decoded(data))
    return is_indexed, list(islice(numbered, most_rows + 1))


class RowLabels(TextLabels):
    """Gathers the labels of embeddings: those in their own files, and tables of one label for each row.

    Args:
        wanted: where labels may come from.
        most_rows: that a table may have.
        read: `row_labels`, here or in another process.
    """

    def __init__(
        self, wanted: LabelsWanted, most_rows: int, read: Callable[[bytes, int], tuple[bool, NumberedLabels]]
    ) -> None:
        super().__init__(wanted)
        self._wanted = wanted
        self._most_rows = most_rows
        self._read = read
        self._tables: list[_Table] = []

    @staticmethod
    def takes(name: ItemName) -> bool:
        """Whether a file beside embeddings is a table of labels, by its name."""
        return name.file_name.lower() == LABELS_FILE

    def note_table(self, name: ItemName, data: bytes) -> None:
        """Keep a table of labels.

        Raises:
            InvalidInput: `labels_unreadable`.
        """
        if self._wanted in ("none", "folders"):
            return
        is_indexed, rows = self._read(data, self._most_rows)
        if len(rows) > self._most_rows:
            raise unreadable(f"It may have {self._most_rows:,} rows.")
        self._tables.append(_Table(name.text, rows, is_indexed))

    def found_for(self, hash_of_row: Sequence[str]) -> Labelling:
        """The labels.

        Args:
            hash_of_row: the content hash of each row of all files of embeddings, in the order in which they were read;
                empty where it was refused.
        """
        labels: dict[str, set[str]] = defaultdict(set)
        files, warnings = list[LabelFile](), []
        for table in self._tables:
            count = len(hash_of_row)
            if any(number >= count for number, _ in table.rows) or not (table.is_indexed or len(table.rows) == count):
                message = (
                    f"{table.name} has {counted(len(table.rows), 'row')} for {counted(count, 'embedding')} and is "
                    "not used. Give each row in order a label or `nan`, or name rows from 0 in a column `index`."
                )
                warnings.append(finding("labels_do_not_fit", message))
                continue
            for number, label in table.rows:
                if label is not None and hash_of_row[number]:
                    labels[hash_of_row[number]].add(label)
            rows = sum(label is not None for _, label in table.rows)
            files.append(LabelFile(file=table.name, format="table", rows=rows, unmatched=0))
        if labels:
            found = Labelling(dict(labels), LabelSource(kind="file", files=files), warnings)
            return as_wanted(found, self._wanted)
        own = self.found()
        return Labelling(own.labels, own.source, [*warnings, *own.warnings])
