"""What systems leave among a person's files is skipped by the library as by ingestion."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pouf_core.data.ignored_files import left_behind
from pouf_core.data.items import collect_items

LEFT_BEHIND = (
    "photos/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
    "$RECYCLE.BIN/S-1-5/a.jpg",
    ".Trash-1000/files/a.jpg",
    "lost+found/a.jpg",
    ".thumbnails/a.jpg",
    "Thumbs.db",
    "__MACOSX/._a.jpg",
    ".ipynb_checkpoints/a-checkpoint.jpg",
    "~$report.docx",
)


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_files_of_systems_are_told_by_any_part_of_their_path(name: str) -> None:
    assert left_behind(name.split("/")) == "system_file"


@pytest.mark.parametrize("name", [".secret.jpg", "photos/.old/a.jpg"])
def test_hidden_files_are_told_apart_from_those_of_systems(name: str) -> None:
    assert left_behind(name.split("/")) == "hidden_file"


@pytest.mark.parametrize("name", ["photos/a.jpg", "thumbs/a.jpg", "_a.jpg", "recycle bins/a.jpg", "a~$b.jpg"])
def test_a_persons_own_files_are_none(name: str) -> None:
    assert not left_behind(name.split("/"))


def test_the_library_does_not_go_into_such_folders(tmp_path: Path) -> None:
    for number, name in enumerate(("photos/a.png", "@eaDir/b.png", ".thumbnails/c.png")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    items, rejected = collect_items(tmp_path)
    assert [item.source for item in items] == [tmp_path / "photos/a.png"]
    assert not rejected
