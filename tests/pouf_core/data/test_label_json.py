"""JSON and XML of untrusted uploads that looks like files of labels: whatever it holds, nothing breaks."""

from __future__ import annotations

import json

import pytest

from pouf_core.data.item_names import parse_name
from pouf_core.data.labels.files import read_label_file
from pouf_core.data.labels.json_files import choices
from pouf_core.errors import InvalidInput

COCO = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
TASK = {"data": {"image": "a.png"}, "annotations": []}


@pytest.mark.parametrize(
    "document",
    [
        {**COCO, "annotations": [{"image_id": [1], "category_id": {"x": 1}}, 7, None]},
        {**COCO, "categories": [[], {"id": {}, "name": []}], "images": [1, {"file_name": 3}]},
        [{**TASK, "annotations": [3, {"result": 4}, {"result": [5, {"value": 6}, {"value": {"choices": 7}}]}]}],
        [{**TASK, "data": {"image": "http://["}}],
        [{"file": ["a.png"], "label": {"x": 1}}],
        [{}],
        [],
        7,
        None,
    ],
)
def test_json_of_other_shapes_gives_no_labels(document: object) -> None:
    data = json.dumps(document).encode()
    table = read_label_file("", parse_name("export.json"), data, 100)
    assert table is None or all(isinstance(label, str) for _, label in table.rows)


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"1" * 5000, b"\xff\xfe\x00"])
def test_what_is_no_json_is_none_unless_it_is_named_for_labels(content: bytes) -> None:
    assert read_label_file("", parse_name("export.json"), content, 100) is None
    with pytest.raises(InvalidInput) as caught:
        read_label_file("", parse_name("labels.json"), content, 100)
    assert caught.value.code == "labels_unreadable"


@pytest.mark.parametrize("encoding", ["none-such", "shift_jis", "utf-32", "idna"])
def test_xml_in_an_encoding_that_is_not_read_gives_no_labels(encoding: str) -> None:
    content = f'<?xml version="1.0" encoding="{encoding}"?><annotation/>'.encode()
    assert read_label_file("", parse_name("a.xml"), content, 100) is None
    with pytest.raises(InvalidInput) as caught:
        read_label_file("", parse_name("labels.xml"), content, 100)
    assert caught.value.code == "labels_unreadable"


def test_an_address_that_is_none_loses_its_own_label_alone() -> None:
    shown = [{"result": [{"value": {"choices": ["cat"]}}]}]
    tasks = [{"data": {"image": place}, "annotations": shown} for place in ("http://[", "/data/a.png")]
    table = read_label_file("", parse_name("labels.json"), json.dumps(tasks).encode(), 100)
    assert table is not None
    assert table.rows[-1] == (("data", "a.png"), "cat")


def test_more_rows_than_are_left_are_refused() -> None:
    data = json.dumps([{"file": f"{row}.png", "label": "cat"} for row in range(3)]).encode()
    with pytest.raises(InvalidInput, match="2 rows"):
        read_label_file("", parse_name("labels.json"), data, 2)


def test_an_annotation_with_several_choices_names_no_class() -> None:
    results = [[{"value": {"choices": ["cat", "dog"]}}], [{"value": {"choices": ["cat"]}}]]
    assert list(choices({"data": {}, "annotations": [{"result": result} for result in results]})) == ["cat"]


@pytest.mark.parametrize(
    "first", [{"file_name": "a.png", "label": "cat", "text": "one line\u2028another"}, {"file_name": "a.png"}]
)
def test_every_line_of_json_lines_is_a_record_of_its_own(first: dict[str, str]) -> None:
    lines = [json.dumps(one, ensure_ascii=False) for one in (first, {"file_name": "b.png", "label": "dog"})]
    table = read_label_file("", parse_name("metadata.jsonl"), "\n".join(lines).encode(), 100)
    assert table is not None
    assert ((("b.png",), "dog") in table.rows) and len(table.rows) == (2 if "label" in first else 1)
