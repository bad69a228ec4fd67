"""Files as people publish data sets and as labelling tools export them, with the texts and labels that they hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.corpus.tables import SIDES, TEXTS, Table, pairs, two_columns

STARS = [str(number % 5 + 1) for number in range(len(TEXTS))]
KEYS = [f"{number:08x}-0a1b-4c2d-8e3f-{number:012x}" for number in range(len(TEXTS))]
PAGES = [f"https://shop.example.com/reviews/{number}?page=one&from=mail" for number in range(len(TEXTS))]
WRITERS = [f"writer-{number}@mail.example.com" for number in range(len(TEXTS))]
DAYS = [f"2026-02-{number + 1:02d} 12:30:00" for number in range(len(TEXTS))]
TWO = [("Virgin", "Delta")[number % 2] for number in range(len(TEXTS))]


def table_of(**columns: Sequence[object]) -> bytes:
    """A table of comma-separated values with these headings."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return stream.getvalue().encode()


def lines_of(values: Sequence[object]) -> bytes:
    """JSON, a value a line."""
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def objects(text: str, label: str, **more: object) -> list[dict[str, Any]]:
    """An object for each text, with these fields."""
    return [{"id": number, text: said, label: side, **more} for number, (said, side) in enumerate(pairs())]


def _tables() -> list[Table]:
    starred: Mapping[str, Any] = {"labels": STARS}
    return [
        two_columns(
            "reviews with stars and votes",
            table_of(business=KEYS, stars=STARS, text=TEXTS, date=DAYS, useful=TWO),
            **starred,
        ),
        two_columns(
            "reviews with titles",
            table_of(review_date=DAYS, rating=STARS, review_title=[text[:15] for text in TEXTS], review_body=TEXTS),
            **starred,
        ),
        two_columns("whose sentiment it is", table_of(airline=TWO, airline_sentiment=SIDES, name=KEYS, text=TEXTS)),
        two_columns("keys beside notes", table_of(uuid=KEYS, remark=TEXTS, state=SIDES)),
        two_columns("addresses of pages", table_of(url=PAGES, headline=TEXTS, section=SIDES)),
        two_columns("answers to a form", table_of(Time=DAYS, Mail=WRITERS, Question=TEXTS, Again=SIDES)),
        two_columns("UTF-16 without a mark", table_of(text=TEXTS, label=SIDES).decode().encode("utf-16-le")),
    ]


def _lines() -> list[Table]:
    fasttext = "".join(f"__label__{side} {text}\n" for text, side in pairs())
    plain = [text.replace(";", ",") for text in TEXTS]
    divided = "".join(f"{text};{side}\n" for text, side in zip(plain, SIDES, strict=True))
    return [
        two_columns("fastText", fasttext.encode(), file_name="a.txt"),
        two_columns("labels behind semicolons", divided.encode(), tuple(plain), file_name="train.txt"),
    ]


def _json() -> list[Table]:
    usual = objects("text", "label")
    listed = [one | {"label": [one["label"]]} for one in usual]
    by_column = {name: [one[name] for one in usual] for name in ("text", "label")}
    by_row = {name: {str(row): value for row, value in enumerate(values)} for name, values in by_column.items()}
    lines = {
        "labels in lists": listed,
        "text in a field called data": objects("data", "label"),
        "reviewText": objects("reviewText", "sentiment", helpful=[0, 1]),
        "unusual fields": objects("headline", "section", day="2026-02-01"),
    }
    documents: dict[str, object] = {
        "records under data": {"version": "1.0", "data": usual},
        "columns of pandas": by_row,
        "columns in lists": by_column,
        "split of pandas": {"columns": list(by_column), "index": [0], "data": [list(row) for row in pairs()]},
    }
    return [
        *(two_columns(f"JSON lines, {name}", lines_of(values), file_name="a.jsonl") for name, values in lines.items()),
        *(
            two_columns(f"JSON, {name}", json.dumps(value).encode(), file_name="a.json")
            for name, value in documents.items()
        ),
        two_columns("JSON lines called .json", lines_of(usual), file_name="a.json"),
        two_columns("JSON called .jsonl", json.dumps(usual).encode(), file_name="a.jsonl"),
    ]


PUBLISHED = [*_tables(), *_lines(), *_json()]
"""All of them; their names differ."""
