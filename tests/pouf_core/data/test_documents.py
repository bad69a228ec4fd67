"""Folders of documents, whose paragraphs are no texts of their own."""

from __future__ import annotations

import pytest

from pouf_core.data.documents import Documents
from pouf_core.data.text_rows import empty_line, row_of

DOCUMENT, LINES = ("A title", "", "Some words.", "More words."), ("one text", "other text", "")


def warned(files: dict[str, tuple[str, ...]]) -> list[str]:
    documents = Documents()
    for name, lines in files.items():
        documents.begin(name)
        for position, line in enumerate(lines, start=1):
            documents.note(row_of(position, line) if line else empty_line(position))
    return [one.message for one in documents.warnings()]


def test_files_of_paragraphs_are_told_of_with_what_to_do() -> None:
    (message,) = warned({f"news/{number}.txt": DOCUMENT for number in range(3)} | {"news/short.txt": ("one line",)})
    assert message.startswith("3 files, news/0.txt for one, have several paragraphs")
    assert ".jsonl" in message


@pytest.mark.parametrize(
    "files",
    [
        {f"{number}.txt": LINES for number in range(9)},
        {"a.txt": DOCUMENT, "b.txt": DOCUMENT},
        {f"{number}.txt": DOCUMENT for number in range(3)} | {f"{number}b.txt": LINES for number in range(4)},
        {f"{number}.csv": DOCUMENT for number in range(9)},
    ],
    ids=["lines", "few", "most are of lines", "tables"],
)
def test_files_of_lines_are_not(files: dict[str, tuple[str, ...]]) -> None:
    assert warned(files) == []
