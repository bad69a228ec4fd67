"""Labels of folders and files, found by the library as by ingestion."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from pouf_core.contract.base_model import Modality
from pouf_core.data.labelled_items import collect_labelled
from pouf_core.data.text_files import TextRow, read_texts
from pouf_core.data.texts import text_hash
from tests.corpus.exports import EXPORTED_LAYOUTS
from tests.corpus.labels import LAYOUTS, Layout


def hash_of_item(layout: Layout, name: str) -> str:
    """The content hash of a file, or of the text in a row of one."""
    file, _, position = name.partition(":")
    if not position:
        return hashlib.sha256(layout.files[file]).hexdigest()
    rows = [row for row in read_texts(io.BytesIO(layout.files[file]), file) if isinstance(row, TextRow)]
    return next(text_hash(row.item) for row in rows if row.position == int(position))


@pytest.mark.parametrize("layout", [*LAYOUTS, *EXPORTED_LAYOUTS], ids=lambda layout: layout.name)
def test_a_folder_is_labelled_as_it_was_meant(layout: Layout, tmp_path: Path) -> None:
    for name, content in layout.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    modality: Modality = "text" if layout.modality == "text" else "image"
    found = collect_labelled(tmp_path, modality, labels=layout.wanted)
    labelling = found.labelling
    assert found.rejected == []
    assert {name: labelling.single.get(hash_of_item(layout, name)) for name in layout.labels} == layout.labels
    assert (labelling.source.kind, labelling.source.skipped_levels) == (layout.kind, list(layout.skipped))
    assert labelling.suggested == layout.class_names
    assert [warning.code for warning in labelling.warnings] == list(layout.warnings)
