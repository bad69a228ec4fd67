"""What could not be used: by cause, and when it is told of."""

from __future__ import annotations

import io

import pytest

from pouf_core.data.losses import Losses, Undecoded
from pouf_core.data.text_files import BadRow, read_texts


def losses_of(content: bytes, name: str = "a.csv") -> tuple[Losses, int]:
    """What is lost of a file of texts, and how many of its rows are not."""
    losses, used = Losses(), 0
    for row in read_texts(io.BytesIO(content), name):
        if isinstance(row, BadRow):
            losses.note(f"{name}:{row.position}", row.code, row.message, row.lost, row.undecoded)
        else:
            used += 1
    return losses, used


def test_rejections_are_counted_by_cause_and_the_first_stands_for_all() -> None:
    losses = Losses()
    for number in range(3):
        losses.note(f"a.csv:{number}", "malformed_row", f"Row {number}.")
    losses.note("b.csv", "unknown_encoding", "No.", "rest")
    first, second = losses.groups()
    assert first.model_dump() == {
        "code": "malformed_row",
        "count": 3,
        "example_name": "a.csv:0",
        "message": "Row 0.",
    }
    assert (second.code, second.count) == ("unknown_encoding", 1)


@pytest.mark.parametrize(("lost", "told"), [(1, False), (2, True)])
def test_beyond_one_per_cent_a_loss_is_told_of(lost: int, told: bool) -> None:
    losses = Losses()
    for number in range(lost):
        losses.note(f"{number}.png", "undecodable_image", "It is damaged.")
    assert bool(losses.warnings(used=100 - lost, items="pictures")) == told


def test_a_warning_says_how_many_and_why() -> None:
    losses = Losses()
    losses.note("a.png", "undecodable_image", "It is damaged.")
    (warning,) = losses.warnings(used=9, items="pictures")
    assert warning.code == "items_rejected"
    assert warning.message == "1 of 10 pictures could not be used, a.png for one: It is damaged."


def test_rows_in_another_encoding_are_told_of_with_the_one_that_they_look_like() -> None:
    plain = b"".join(b"a plain text number %d\n" % number for number in range(20_000))  # more than is looked at first
    losses, used = losses_of(b"text\n" + plain + "Schöne Grüße aus München\n".encode("cp1252") * 300)
    (warning,) = losses.warnings(used, "rows")
    assert warning.message == (
        "300 of 20,300 rows cannot be read as UTF-8; the file looks like Windows-1252. Upload it again with that as "
        "`encoding`, or, where only some rows are, save it as UTF-8."
    )


def test_no_encoding_is_named_where_none_is_likely() -> None:
    losses = Losses()
    losses.note("a.csv:1", "undecodable_text", "It is not.", undecoded=Undecoded("schön".encode()))
    (warning,) = losses.warnings(used=2, items="rows")
    assert warning.message == "1 of 3 rows cannot be read as UTF-8. Save the file as UTF-8."


def test_blank_lines_are_no_loss() -> None:
    losses, used = losses_of(b"one text\n\n\n\nanother text\n", "a.txt")
    assert losses.groups()[0].count == 3
    assert losses.warnings(used) == []


def test_a_file_that_is_left_out_is_told_of_however_many_items_there_are() -> None:
    losses = Losses()
    losses.note("a.zip", "archive_corrupt", "It ends early", "rest")
    (warning,) = losses.warnings(used=1_000_000)
    assert warning.code == "files_rejected"
    assert warning.message == "A file was not read, or not to its end: a.zip: It ends early."


def test_a_table_that_breaks_off_loses_more_than_a_row() -> None:
    body = "".join(f"a text number {number},good\n" for number in range(4000))
    losses, used = losses_of(f'text,label\n{body}"never closed,bad\n'.encode() + b"x" * 900_000)
    (warning,) = losses.warnings(used)
    assert warning.code == "files_rejected"


def test_lone_surrogates_of_json_are_refused_like_other_bad_texts() -> None:
    losses, _ = losses_of(b'{"text": "good"}\n{"text": "\\udc80 and \\ud801 alone"}\n', "a.jsonl")
    assert losses.groups()[0].code == "undecodable_text"
