"""Texts out of files, one by one, and what is refused of them."""

from __future__ import annotations

import io
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pouf_core.data.text_files import BadRow, Row, TextOptions, TextRow, read_texts
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.errors import InvalidInput


def rows(name: str, content: bytes | str, **columns: str) -> list[Row]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_texts(io.BytesIO(data), name, TextOptions(**columns)))


def texts(found: list[Row]) -> list[str]:
    return [row.text for row in found if isinstance(row, TextRow)]


def refused(found: list[Row]) -> list[tuple[int, str]]:
    return [(row.position, row.code) for row in found if isinstance(row, BadRow)]


def test_every_line_is_a_text_and_empty_ones_are_rejected() -> None:
    found = rows("a.txt", "one fine day\r\n\r\n  two  \nthree")
    assert texts(found) == ["one fine day", "two", "three"]
    assert refused(found) == [(2, "empty_text")]


def test_cells_that_say_that_there_is_no_value_are_no_texts_but_answers_are() -> None:
    found = rows("a.csv", "text,label\nNA,x\nNULL,x\nN/A,y\nNone,y\nnan,x\nNancy was here,y\n")
    assert texts(found) == ["None", "Nancy was here"]
    assert refused(found) == [(2, "empty_text"), (3, "empty_text"), (4, "empty_text"), (6, "empty_text")]
    assert texts(rows("a.txt", "NA\nnull\n")) == ["NA", "null"]


def test_keys_that_several_rows_share_are_no_labels() -> None:
    content = "".join(f"{number // 2},day {number} of many\n" for number in range(8))
    assert {row.label for row in rows("a.csv", "user_id,text\n" + content) if isinstance(row, TextRow)} == {None}
    assert {row.label for row in rows("a.csv", "team,text\n" + content) if isinstance(row, TextRow)} == {*"0123"}


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert texts(rows("a.txt", b"\xef\xbb\xbfcaf\xc3\xa9\n")) == ["café"]
    assert texts(rows("a.csv", b"\xef\xbb\xbftext,label\nhello there,x\n")) == ["hello there"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "A.NDJSON"])
def test_lines_of_json_are_read_under_either_name(name: str) -> None:
    assert texts(rows(name, '{"text": "one"}\n"two"\n')) == ["one", "two"]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_bytes_that_are_no_utf8_spoil_their_own_text_alone_where_others_are(name: str) -> None:
    lines = ["one crème brûlée".encode(), b"caf\xe9 noir", b"good two"]
    content = {
        "a.txt": b"\n".join(lines),
        "a.csv": b"text\n" + b"\n".join(lines),
        "a.jsonl": b"\n".join(b'{"text": "' + line + b'"}' for line in lines),
    }[name]
    found = rows(name, content)
    assert texts(found) == ["one crème brûlée", "good two"]
    assert refused(found) == [(3 if name == "a.csv" else 2, "undecodable_text")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_dialect_of_a_table_is_sniffed(delimiter: str) -> None:
    lines = [["id", "text", "label"], ["1", "a good film", "pos"], ["2", "a bad film", "neg"]]
    found = rows("a.csv", "\n".join(delimiter.join(line) for line in lines))
    assert texts(found) == ["a good film", "a bad film"]
    assert [row.label for row in found if isinstance(row, TextRow)] == ["pos", "neg"]


def test_quoted_cells_keep_their_delimiters_and_line_breaks() -> None:
    assert texts(rows("a.csv", 'text,label\n"well, yes\nindeed",x\n')) == ["well, yes\nindeed"]


def test_the_only_column_with_words_is_taken_without_a_header() -> None:
    found = rows("a.csv", "1,3.5,a good film\n2,1.5,a bad film\n3,2.0,no film\n")
    assert texts(found) == ["a good film", "a bad film", "no film"]


def test_a_column_can_be_named() -> None:
    content = "title,body,kind\nfirst title,first body,x\nsecond title,second body,y\n"
    found = rows("a.csv", content, text_column="Body", label_column="kind")
    assert texts(found) == ["first body", "second body"]
    assert [row.label for row in found if isinstance(row, TextRow)] == ["x", "y"]


@pytest.mark.parametrize("column", ["words", "1"])
def test_a_column_that_is_asked_for_is_none_of_prose(column: str) -> None:
    content = "heading, words\nfirst title, first body\nsecond title, second body\n"
    found = rows("a.csv", content, text_column=column)
    assert [text.strip() for text in texts(found)][-2:] == ["first body", "second body"]


def test_a_table_of_r_is_one_however_long_its_rows_are() -> None:
    content = '"text" "label"\n' + "".join(f'"{n}" "{n} long film{" and on" * 1000}" "pos"\n' for n in range(50))
    assert [text[:11] for text in texts(rows("a.txt", content))] == [f"{n} long film"[:11] for n in range(50)]


@pytest.mark.parametrize(
    ("content", "column", "first"),
    [
        ("one title,one body\ntwo title,two body\n", "1", "one body"),
        ("title,body\none title,one body\ntwo title,two body\n", "1", "one body"),
        ("title,1,2\none title,the body,x y\nanother one,a body,z z\n", "1", "the body"),
    ],
)
def test_a_column_can_be_named_by_its_number(content: str, column: str, first: str) -> None:
    assert texts(rows("a.csv", content, text_column=column))[0] == first


STREETS = "".join(f"{number} High Street, Oxford {number}, {('home', 'work')[number % 2]}\n" for number in range(12))


def test_a_table_that_does_not_tell_names_the_columns_that_may_hold_texts() -> None:
    with pytest.raises(AmbiguousTable) as caught:
        rows("a.csv", "one title,one body,1\ntwo title,,2\nthree title,three body,3\n")
    shown = [(each.column, each.heading, each.examples) for each in caught.value.candidates]
    assert shown == [(0, None, ["one title", "two title", "three title"]), (1, None, ["one body", "three body"])]


@pytest.mark.parametrize(
    ("name", "content", "columns", "code"),
    [
        ("a.csv", "first title,first body\nsecond title,second body\n", {}, "table_ambiguous"),
        ("a.csv", "title,body\na b,c d\n", {"text_column": "words"}, "text_column_not_found"),
        ("a.csv", "text,kind\na b,c\n", {"label_column": "words"}, "label_column_not_found"),
        ("a.csv", "address,kind\n" + STREETS, {}, "malformed_table"),
        ("a.json", "{", {}, "malformed_json"),
        ("a.json", '{"rows": []}', {}, "malformed_json"),
        ("a.docx", "x", {}, "unknown_text_file"),
    ],
)
def test_files_that_cannot_be_understood_say_why(name: str, content: str, columns: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rows(name, content, **columns)
    assert caught.value.code == code


def test_json_lines_are_objects_or_strings() -> None:
    lines = ['{"text": "one", "label": "x"}', '"two"', "{", '{"other": 1}', '{"text_a": "a", "text_b": "b"}', ""]
    found = rows("a.jsonl", "\n".join(lines) + "\n\n")
    assert texts(found) == ["one", "two", "a"]
    assert [row.text_pair for row in found if isinstance(row, TextRow)] == [None, None, "b"]
    codes = ["malformed_json", "no_text", "empty_text", "empty_text"]
    assert refused(found) == list(zip((3, 4, 6, 7), codes, strict=True))
    assert found[0] == TextRow(1, "one", "x")
    assert texts(rows("a.jsonl", '{"body": "three"}', text_column="body")) == ["three"]


def test_of_a_conversation_it_is_said_what_to_write_instead() -> None:
    turns = [{"role": "user", "content": "Great"}, {"role": "assistant", "content": "positive"}]
    (found,) = rows("a.jsonl", json.dumps({"messages": turns}))
    assert isinstance(found, BadRow) and (found.code, found.lost) == ("no_text", "item")
    assert "`messages`" in found.message and "`text`" in found.message


def test_a_table_of_two_named_columns_holds_pairs() -> None:
    found = rows("a.csv", "label,text_b,text_a\nx,a question,an answer\n,,lone\n,first,\n")
    assert found[0] == TextRow(2, "an answer", "x", "a question")
    assert refused(found) == [(3, "empty_text"), (4, "empty_text")]
    assert [row.message.split(":")[0] for row in found[1:] if not isinstance(row, TextRow)] == ["text_b", "text_a"]
    assert texts(rows("a.csv", "text,text_a,text_b\none,two,three\n")) == ["one"]


def test_a_document_holds_a_list_of_texts() -> None:
    assert texts(rows("a.json", json.dumps({"texts": ["one", {"text": "two"}, 3]}))) == ["one", "two"]


@pytest.mark.parametrize("line", [lambda n: f"text number {n} of many", lambda n: json.dumps({"text": f"text {n}"})])
def test_a_hundred_thousand_lines_take_seconds_and_no_memory(tmp_path: Path, line: Callable[[int], str]) -> None:
    path = tmp_path / ("a.jsonl" if line(0).startswith("{") else "a.txt")
    path.write_text("\n".join(map(line, range(100_000))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    assert sum(isinstance(row, TextRow) for row in read_texts(path, path.name)) == 100_000
    assert time.process_time() - started < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


@pytest.mark.parametrize("names", [("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2")])
def test_pairs_are_known_by_the_headings_of_published_data(names: tuple[str, str]) -> None:
    first, second = names
    table = rows("a.csv", f"index,{first},{second},label\n1,a man sleeps,a man is awake,no\n2,it rains,it is wet,yes\n")
    lines = rows("a.jsonl", json.dumps({first: "a man sleeps", second: "a man is awake", "label": "no"}))
    assert table[0] == TextRow(2, "a man sleeps", "no", "a man is awake")
    assert lines == [TextRow(1, "a man sleeps", "no", "a man is awake")]


def test_several_labels_are_none() -> None:
    found = rows("a.txt", "__label__a __label__b two of them\n__label__a one\n")
    found += rows("a.jsonl", '{"text": "two of them", "label": ["a", "b"]}\n{"text": "one", "label": ["a"]}\n')
    assert [row.label for row in found if isinstance(row, TextRow)] == [None, "a"] * 2


def test_objects_that_do_not_tell_the_text_are_asked_about() -> None:
    with pytest.raises(AmbiguousTable) as caught:
        rows("a.jsonl", '{"subject": "my order came late", "answer": "we are sorry for it"}\n' * 3)
    assert [candidate.heading for candidate in caught.value.candidates] == ["subject", "answer"]


def test_a_semicolon_in_prose_divides_nothing() -> None:
    lines = "".join(f"this is line {number}; it is long enough\n" for number in range(6))
    assert len(texts(rows("a.txt", lines))[0]) > 20


def test_headings_say_that_lines_are_rows_where_texts_hold_the_delimiter_without_quotes() -> None:
    lines = [
        f"a{n},{'Lovely, and new' if n % 2 else 'It broke soon'} {n},{'good' if n % 2 else 'bad'}" for n in range(20)
    ]
    found = rows("a.csv", "\n".join(["id,text,label", *lines]))
    assert [(row.text, row.label, row.name) for row in found if isinstance(row, TextRow)] == [
        (f"It broke soon {n}", "bad", f"a{n}") for n in range(0, 20, 2)
    ]
    assert refused(found) == [(n + 2, "malformed_row") for n in range(1, 20, 2)]
