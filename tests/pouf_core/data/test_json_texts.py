"""Texts in objects of JSON: which fields are read, and at what price."""

from __future__ import annotations

import io
import json
import time
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest

from pouf_core.data.json_texts import rows_of_json_lines
from pouf_core.data.table_rows import TableOptions
from pouf_core.data.text_files import BadRow, Row, TextOptions, TextRow, read_texts
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.errors import InvalidInput

LETTERS = [
    {"Subject": f"my order {n} came late", "answer": f"we are sorry {n} times", "mood": ("bad", "worse")[n % 2]}
    for n in range(8)
]


def rows(name: str, content: str, **columns: str) -> list[Row]:
    return list(read_texts(io.BytesIO(content.encode()), name, TextOptions(**columns)))


def lines(values: Sequence[object]) -> str:
    return "\n".join(map(json.dumps, values))


def usable(found: list[Row]) -> list[tuple[str, str | None]]:
    assert all(isinstance(row, TextRow) for row in found)
    return [(row.text, row.label) for row in found if isinstance(row, TextRow)]


def test_objects_without_common_fields_take_no_time() -> None:
    values = [
        {"essay": f"this is essay {n}", "kind": "xy"[n % 2]} | {f"key {n} {other}": "" for other in range(400)}
        for n in range(200)
    ]
    started = time.process_time()
    found = usable(rows("a.jsonl", lines(values)))
    assert time.process_time() - started < 3
    assert found == [(f"this is essay {n}", "xy"[n % 2]) for n in range(200)]


def test_names_of_many_fields_are_not_kept_when_a_file_has_been_read() -> None:
    content = lines([{"text": "one"} | {f"key {n} {other}": "" for other in range(1000)} for n in range(100)])
    tracemalloc.start()
    try:
        usable(rows("a.jsonl", content))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_only_the_first_of_long_lines_are_held_at_once() -> None:
    read = []

    def long_lines() -> Iterator[tuple[int, str]]:
        for position in range(1, 200):
            read.append(position)
            yield position, json.dumps({"essay": "a word " * 20_000})

    found = rows_of_json_lines(long_lines(), TableOptions())
    assert next(found).position == 1
    assert len(read) == 2


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("column", ["Subject", "subject", "0"])
def test_a_field_that_is_named_or_numbered_keeps_the_labels(name: str, column: str) -> None:
    content = lines(LETTERS) if name == "a.jsonl" else json.dumps(LETTERS)
    expected = [(letter["Subject"], letter["mood"]) for letter in LETTERS]
    assert usable(rows(name, content, text_column=column)) == expected


def test_the_number_that_the_question_offers_is_an_answer() -> None:
    with pytest.raises(AmbiguousTable) as caught:
        rows("a.jsonl", lines(LETTERS))
    offered = caught.value.candidates[1]
    assert offered.heading == "answer"
    assert usable(rows("a.jsonl", lines(LETTERS), text_column=str(offered.column)))[0][0] == LETTERS[0]["answer"]


@pytest.mark.parametrize(("label", "expected"), [("answer", "we are sorry 0 times"), ("2", "bad"), ("later", None)])
def test_a_field_of_labels_can_be_named_too(label: str, expected: str | None) -> None:
    assert usable(rows("a.jsonl", lines(LETTERS), text_column="Subject", label_column=label))[0][1] == expected


def test_a_field_that_is_named_may_come_late() -> None:
    content = "\n" * 200 + lines([{"Body": "two"}, {"body": "one", "Body": "three"}])
    late = rows("a.jsonl", lines([{"other": "x"}] * 200) + "\n" + lines([{"body": "one"}]), text_column="body")
    assert usable(late[200:]) == [("one", None)]
    assert usable(rows("a.jsonl", content.strip(), text_column="Body")) == [("two", None), ("three", None)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"text": {"1": "one", "2": "two"}, "label": {"1": "x", "2": "y"}}, [("one", "x"), ("two", "y")]),
        ({"1": {"text": "one", "label": "x"}, "2": {"text": "two", "label": "y"}}, [("one", "x"), ("two", "y")]),
        ({"1": {"Review": "one"}, "2": {"Review": "two", "label": "y"}}, [("one", None), ("two", "y")]),
        (
            {"1": {"text_a": "one", "text_b": "a"}, "2": {"text_a": "two", "text_b": "b"}},
            [("one", None), ("two", None)],
        ),
    ],
)
def test_columns_and_records_by_their_ids_are_told_apart(
    document: dict[str, dict[str, str]], expected: list[tuple[str, str | None]]
) -> None:
    assert usable(rows("a.json", json.dumps(document))) == expected


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('["a", "b"]\n{"text": "one"}\n"two"\n', ["one", "two"]),
        ('["one", "two"]\n\n', ["one", "two"]),
        ('[{"text": "one"},\n{"text": "two"}]', ["one", "two"]),
        ('\ufeff\n [\n"one",\n"two"\n]', ["one", "two"]),
    ],
)
def test_a_list_on_the_first_of_several_lines_is_a_line(content: str, texts: list[str]) -> None:
    assert [row.text for row in rows("a.jsonl", content) if isinstance(row, TextRow)] == texts


NUMBERS = [0.5 * n for n in range(12)]
VECTORS = {
    "lines": ("a.jsonl", lines([{"id": f"item {n}", "embedding": NUMBERS} for n in range(3)])),
    "lists": ("a.jsonl", lines([NUMBERS, NUMBERS])),
    "a-document": ("a.json", json.dumps([NUMBERS, NUMBERS])),
    "an-answer-of-an-api": ("a.json", json.dumps({"object": "list", "data": [{"index": 0, "embedding": NUMBERS}] * 2})),
    "lines-of-numbers": ("a.txt", f"{' '.join(map(str, NUMBERS))}\n" * 3),
    "commas-between-numbers": ("a.txt", f"{NUMBERS}\n" * 3),
    "commas-before-decimals": ("a.csv", ";".join(str(number).replace(".", ",") for number in NUMBERS) + "\n"),
    "tabs-between-numbers": ("a.txt", "\t".join(map(str, NUMBERS)) + "\n"),
    "words-before-numbers": ("a.txt", "3 12\n" + "".join(f"{word} {NUMBERS}\n" for word in ("the", "of", "and"))),
}


@pytest.mark.parametrize(("name", "content"), VECTORS.values(), ids=VECTORS)
def test_vectors_are_not_taken_for_texts(name: str, content: str) -> None:
    with pytest.raises(InvalidInput, match=r"vectors, and no texts\. Save .* numpy\.save\(") as caught:
        rows(name, content)
    assert caught.value.code == "no_text"


def test_texts_beside_vectors_are_read() -> None:
    said = [{"essay": f"this is essay {n}", "embedding": NUMBERS} for n in range(9)]
    assert [text for text, _ in usable(rows("a.jsonl", lines(said)))] == [one["essay"] for one in said]
    named = [{"text": "word", "embedding": NUMBERS}] * 2
    assert [text for text, _ in usable(rows("a.jsonl", lines(named)))] == ["word", "word"]
    asked = usable(rows("a.jsonl", lines([{"id": "word", "embedding": NUMBERS}] * 2), text_column="id"))
    assert [text for text, _ in asked] == ["word", "word"]


def test_lines_with_numbers_among_words_are_texts() -> None:
    lines = ["Call 030 12 34 56 78 90 11 12 today", "1 2 3 4 5 6 7 8 9 10, and so on", "1 2 3"]
    assert [text for text, _ in usable(rows("a.txt", "\n".join(lines)))] == lines


COLUMNS = ",".join(map(str, NUMBERS))


@pytest.mark.parametrize(
    ("content", "loaded_by"),
    [
        (f"id,{COLUMNS}\n" + f"a.jpg,{COLUMNS}\n" * 3, "numpy.loadtxt"),
        ("id,embedding\n" + f'a.jpg,"{NUMBERS}"\n' * 3, "csv.DictReader"),
        ("id,price\na1,7\nb1,8\n", None),
    ],
)
def test_a_table_of_vectors_is_refused_with_what_to_do(content: str, loaded_by: str | None) -> None:
    with pytest.raises(AmbiguousTable) as caught:
        rows("a.csv", content)
    assert ("vectors" in caught.value.message) == (loaded_by is not None)
    assert loaded_by is None or loaded_by in caught.value.message


def test_fields_are_found_in_objects_within_objects() -> None:
    said = [
        {"id": n, "data": {"review": {"text": f"review {n}", "lang": "en"}}, "meta": {"label": n % 2}} for n in range(4)
    ]
    assert usable(rows("a.jsonl", lines(said))) == [(f"review {n}", str(n % 2)) for n in range(4)]
    deep: dict[str, object] = {"text": "far within"}
    for _ in range(90):
        deep = {"within": deep}
    (row,) = rows("a.jsonl", lines([deep]))
    assert isinstance(row, BadRow)


NESTED = [
    {"id": number, "data": {"review": {"raw": f"day {number} of many", "clean": "a b"}}, "meta": {"kind": kind}}
    for number, kind in enumerate(["x", "y"])
]


@pytest.mark.parametrize("label", ["meta.kind", "kind"])
@pytest.mark.parametrize("text", ["data.review.raw", "raw"])
def test_a_field_of_an_object_within_is_named_by_the_way_to_it_or_by_its_own_name(text: str, label: str) -> None:
    found = usable(rows("a.jsonl", lines(NESTED), text_column=text, label_column=label))
    assert found == [("day 0 of many", "x"), ("day 1 of many", "y")]


def test_a_name_with_points_is_a_name() -> None:
    assert usable(rows("a.jsonl", lines([{"a.b": "one day", "a": {"b": "x"}}]), text_column="a.b")) == [
        ("one day", None)
    ]


def test_where_no_field_has_the_name_that_is_asked_for_those_with_texts_are_told() -> None:
    found = rows("a.jsonl", lines(NESTED), text_column="review.raw")
    assert [row.message for row in found if isinstance(row, BadRow)] == [
        "There is no 'review.raw' with a text here. The object has texts in 'data.review.raw', 'data.review.clean', "
        "'meta.kind'."
    ] * 2


def test_objects_one_behind_the_other_are_refused_with_what_to_write() -> None:
    with pytest.raises(InvalidInput, match="jq -c"):
        rows("a.json", json.dumps({"text": "one"}, indent=1) + "\n" + json.dumps({"text": "two"}, indent=1))
