"""Labels of YOLO's files: whose names count, what stays as it is written, and what ends no process."""

from __future__ import annotations

import pytest

from pouf_core.data.item_names import parse_name
from pouf_core.data.labels.labelling import PictureLabels
from pouf_core.data.labels.yolo import names_of_yaml

FIRST, SECOND = b"0 .5 .5 .1 .1", b"1 .5 .5 .1 .1"


def labels_of(files: dict[str, bytes], *pictures: str) -> dict[str, list[str]]:
    """The labels of pictures beside such files."""
    labels = PictureLabels("auto", 1000)
    for name, content in files.items():
        labels.takes("a.zip", parse_name(name), content)
    for picture in pictures:
        labels.note_picture("a.zip", parse_name(picture).parts, picture)
    return {picture: sorted(names) for picture, names in labels.found().labels.items()}


def test_of_sets_in_one_folder_each_has_its_own_names() -> None:
    files = {
        "one/data.yaml": b"names: [cat, dog]",
        "one/labels/a.txt": FIRST,
        "two/data.yaml": b"names: [dog, cat]",
        "two/labels/b.txt": FIRST,
    }
    assert labels_of(files, "one/images/a.png", "two/images/b.png") == {
        "one/images/a.png": ["cat"],
        "two/images/b.png": ["dog"],
    }


@pytest.mark.parametrize(("other", "labelled"), [(b"names: [cat, dog]", True), (b"names: [dog, cat]", False)])
def test_names_elsewhere_count_where_all_files_agree_on_them(other: bytes, labelled: bool) -> None:
    files = {"settings/a.yaml": b"names: [cat, dog]", "settings/b.yaml": other, "labels/a.txt": SECOND}
    assert labels_of(files, "images/a.png") == ({"images/a.png": ["dog"]} if labelled else {})


def test_names_and_numbers_are_taken_as_they_are_written() -> None:
    assert names_of_yaml("names: [yes, no, 1.50, 2023-01-01]") == [
        ("0", "yes"),
        ("1", "no"),
        ("2", "1.50"),
        ("3", "2023-01-01"),
    ]
    assert names_of_yaml("names: {8: cat, 010: dog}") == [("8", "cat"), ("010", "dog")]


@pytest.mark.parametrize("text", ["names: " + "[" * 200_000, "- " * 200_000, "names: *a", "names: {[1]: a}"])
def test_yaml_that_cannot_be_is_refused_and_ends_no_process(text: str) -> None:
    with pytest.raises(ValueError, match="nested deeper|alias|mapping"):
        names_of_yaml(text)
