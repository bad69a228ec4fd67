"""Which tables among pictures are files of labels."""

from __future__ import annotations

import subprocess

import pytest

from pouf_core.data.item_names import parse_name
from pouf_core.data.labels.files import read_label_file
from pouf_core.data.labels.tables import may_name_pictures


@pytest.mark.parametrize(
    "table", ["x,y,visible\n1,2,1\n3,4,0\n", "file\n1.png\n", "1;2;3\n", "id,x,y\n1,10,20\n", "", "\n\n"]
)
def test_a_table_without_headings_of_labels_starts_no_process(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(subprocess, "run")

    assert read_label_file("a.zip", parse_name("keypoints/1.csv"), table.encode(), 100) is None


@pytest.mark.parametrize(
    "table",
    [
        "file,label\n",
        'n;"File Name";"Class"\r\n1;a.png;cat\r\n',
        "path\ttarget\n",
        "'image'|'label'\n",
        "My labels\n\nfile,label\n",
        '"sep=:"\nfile:label\n',
        "file," + "measure," * 5000 + "label\n",
    ],
)
def test_a_table_with_headings_of_labels_may_be_one(table: str) -> None:
    assert may_name_pictures(table)
    assert may_name_pictures("\ufeff" + table)


def test_an_example_of_answers_to_a_competition_labels_nothing() -> None:
    table = b"image_id,label\nc.jpg,4\nd.jpg,4\n"
    assert read_label_file("a.zip", parse_name("sample_submission.csv"), table, 100) is None
    assert read_label_file("a.zip", parse_name("train.csv"), table, 100) is not None
