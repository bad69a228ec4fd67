"""Items are their content."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pouf_core.data import picture_files
from pouf_core.data.items import Item, collect_items, fingerprint
from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput
from tests.pouf_core.conftest import draw_shape


def test_equal_contents_count_once_whatever_their_names(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_shape("circle", 1).save(tmp_path / name)
    draw_shape("square", 2).save(tmp_path / "c.png")
    items, rejected = collect_items(tmp_path)
    assert len(items) == 2
    assert rejected == []
    assert [item.sha256 for item in items] == sorted(item.sha256 for item in items)


def test_broken_files_are_named_and_the_rest_kept(tmp_path: Path) -> None:
    draw_shape("circle", 1).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"broken")
    (tmp_path / ".hidden").write_bytes(b"ignored")
    items, rejected = collect_items(tmp_path)
    assert len(items) == 1
    assert [(Path(item.name).name, item.code) for item in rejected] == [("bad.png", "undecodable_image")]


def test_nothing_usable_and_nothing_there_are_errors(tmp_path: Path) -> None:
    for data, code in ((tmp_path, "no_usable_items"), (tmp_path / "none", "data_not_found"), ([], "no_usable_items")):
        with pytest.raises(InvalidInput) as caught:
            collect_items(data)
        assert caught.value.code == code


def test_pictures_in_memory_are_items_too() -> None:
    items, _ = collect_items([Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "red")])
    assert len(items) == 1


def test_fingerprint_depends_on_contents_alone(tmp_path: Path) -> None:
    draw_shape("circle", 1).save(tmp_path / "a.png")
    first = fingerprint(collect_items(tmp_path)[0])
    (tmp_path / "a.png").rename(tmp_path / "z.png")
    assert fingerprint(collect_items(tmp_path)[0]) == first


def test_each_content_is_decoded_once_to_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def decode(source: bytes, **options: Any) -> Image.Image:
        decoded.append(source)
        return decode_image(source, **options)

    decode_image = picture_files.decode_image
    monkeypatch.setattr(picture_files, "decode_image", decode)
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        draw_shape("circle", seed).save(tmp_path / name)
    collect_items(tmp_path)
    assert len(decoded) == 2


def test_items_that_are_given_are_not_read_again() -> None:
    pictures = [Item("bb", Path("never-read.png")), Item("aa", Path("neither.png")), Item("bb", Path("again.png"))]
    assert collect_items(pictures) == ([pictures[1], pictures[0]], [])
    texts = [Item("bb", "one"), Item("aa", TextItem("two", "three"))]
    assert collect_items(texts, "text") == ([texts[1], texts[0]], [])


def test_a_picture_much_longer_than_wide_is_refused_from_memory_too() -> None:
    _, rejected = collect_items([Image.new("RGB", (51, 1)), draw_shape("circle", 1)])
    assert [item.code for item in rejected] == ["extreme_aspect_ratio"]


def test_links_to_nowhere_and_pipes_in_a_folder_are_refused_alone(tmp_path: Path) -> None:
    draw_shape("circle", 1).save(tmp_path / "a.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    items, rejected = collect_items(tmp_path)
    assert len(items) == 1
    assert [(Path(one.name).name, one.code) for one in rejected] == [
        ("gone.png", "special_file"),
        ("pipe.png", "special_file"),
    ]


def test_pictures_in_archives_stay_as_long_as_their_items(tmp_path: Path) -> None:
    draw_shape("circle", 1).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "folder/a.png")
    (item,), _ = collect_items(tmp_path / "a.zip")
    (tmp_path / "a.zip").unlink()
    assert item.image().tobytes() == collect_items(tmp_path)[0][0].image().tobytes()


def test_a_picture_damaged_after_it_was_accepted_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    draw_shape("circle", 1).save(path)
    (item,), _ = collect_items(tmp_path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InvalidInput, match=r"^a\.png: ") as caught:
        item.image()
    assert caught.value.code == "undecodable_image"
