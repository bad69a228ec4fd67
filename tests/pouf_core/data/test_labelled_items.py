"""Labels of folders and files, found by the library as by ingestion."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from pouf_core.contract.base_model import Modality
from pouf_core.data.labelled_items import LabelledItems, collect_labelled
from pouf_core.data.text_files import TextOptions, TextRow, read_texts
from pouf_core.data.texts import text_hash
from tests.corpus.labels import Layout, pictures
from tests.corpus.layouts import ALL_LAYOUTS


def hash_of_item(layout: Layout, name: str) -> str:
    """The content hash of a file, or of the text in a row of one."""
    file, _, position = name.partition(":")
    if not position:
        return hashlib.sha256(layout.files[file]).hexdigest()
    rows = [row for row in read_texts(io.BytesIO(layout.files[file]), file) if isinstance(row, TextRow)]
    return next(text_hash(row.item) for row in rows if row.position == int(position))


@pytest.mark.parametrize("layout", ALL_LAYOUTS, ids=lambda layout: layout.name)
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


TOLD = [("a.png", "cat", "left"), ("b.png", "dog", "left"), ("c.png", "cat", "right"), ("d.png", "dog", "right")]
FILES = {
    "train.csv": "image,kind,half\n" + "".join(f"{','.join(row)}\n" for row in TOLD),
    "train.json": json.dumps([dict(zip(("image", "kind", "half"), row, strict=True)) for row in TOLD]),
}


@pytest.mark.parametrize("file", FILES)
def test_a_column_of_labels_that_is_not_there_is_refused_with_those_that_are(file: str, tmp_path: Path) -> None:
    for name, content in pictures("a.png", "b.png", "c.png", "d.png").items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / file).write_text(FILES[file])

    def found(column: str | None) -> LabelledItems:
        return collect_labelled(tmp_path, options=TextOptions(label_column=column))

    (asked,), (mistyped,) = found(None).rejected, found("knid").rejected
    assert (asked.code, mistyped.code) == ("labels_ambiguous", "label_column_not_found")
    assert "'kind', 'half'" in asked.message
    assert "'knid'" in mistyped.message and "'image', 'kind', 'half'" in mistyped.message
    meant = found("kind")
    assert (meant.rejected, meant.labelling.suggested) == ([], ["cat", "dog"])


def test_measurements_of_pictures_ask_nothing_where_folders_are_their_classes(tmp_path: Path) -> None:
    for name, content in pictures("cat/a.png", "cat/b.png", "dog/c.png", "dog/d.png").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    rows = ["cat/a.png,Pixel,100", "cat/b.png,iPhone,200", "dog/c.png,Pixel,200", "dog/d.png,iPhone,100"]
    (tmp_path / "exif.csv").write_text("\n".join(["SourceFile,Model,ISO", *rows]))
    found = collect_labelled(tmp_path)
    assert (found.rejected, found.labelling.suggested) == ([], ["cat", "dog"])


def test_metadata_that_labels_nothing_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(next(iter(pictures("a.png").values())))
    (tmp_path / "metadata.csv").write_text("file_name,text\na.png,a red square\n")
    assert collect_labelled(tmp_path).rejected == []
