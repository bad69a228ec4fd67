"""Files as people publish data sets and as labelling tools export them, with the texts and labels that they hold."""

from __future__ import annotations

import codecs
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
TIMES = [f"Mon Apr {number + 1:02d} 22:19:45 PDT 2009" for number in range(len(TEXTS))]
MARK = codecs.BOM_UTF8
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
    half, other = (table_of(text=TEXTS[part], label=SIDES[part]) for part in (slice(6), slice(6, None)))
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
        two_columns("notes before the table", b"# exported, today\n# by a tool\n" + table_of(text=TEXTS, label=SIDES)),
        two_columns("times as of Twitter", table_of(at=TIMES, who=KEYS, said=TEXTS, target=SIDES)),
        two_columns("two files, one behind the other", MARK + half + MARK + other),
        two_columns("UTF-16 without a mark", table_of(text=TEXTS, label=SIDES).decode().encode("utf-16-le")),
    ]


def _lines() -> list[Table]:
    fasttext = "".join(f"__label__{side} {text}\n" for text, side in pairs())
    plain = [text.replace(";", ",") for text in TEXTS]
    divided = "".join(f"{text};{side}\n" for text, side in zip(plain, SIDES, strict=True))
    sst = "".join(f"{star} {text}\n" for star, text in zip(STARS, TEXTS, strict=True))
    trec = "".join(f"{side.upper()}:def {text}\n" for text, side in pairs())
    bars = ["id|comment|stars", *(f"{at}|{text.replace('|', ',')}|{STARS[at]}" for at, text in enumerate(TEXTS))]
    without_bars = tuple(text.replace("|", ",") for text in TEXTS)
    markdown = "".join(f"| {line.replace('|', ' | ')} |\n" for line in [bars[0], "--|---|--", *bars[1:]])
    starred: Mapping[str, Any] = {"labels": STARS}
    return [
        two_columns("SST", sst.encode(), file_name="train.txt", **starred),
        two_columns("TREC", trec.encode(), labels=[f"{side.upper()}:def" for side in SIDES], file_name="train.txt"),
        two_columns("bars of SQLite", "\n".join(bars).encode(), without_bars, file_name="a.txt", **starred),
        two_columns("a table of Markdown", markdown.encode(), without_bars, file_name="a.txt", **starred),
        two_columns("fastText", fasttext.encode(), file_name="a.txt"),
        two_columns("labels behind semicolons", divided.encode(), tuple(plain), file_name="train.txt"),
    ]


def _json() -> list[Table]:
    usual = objects("text", "label")
    answered = [{"fields": {"text": text}, "responses": {"label": [{"value": side}]}} for text, side in pairs()]
    submitted = [
        {"fields": {"text": text}, "responses": [{"values": {"label": {"value": side}}, "status": "submitted"}]}
        for text, side in pairs()
    ]
    flat = [{"text": text, "label.responses": [side, "both"]} for text, side in pairs()]
    states: Mapping[str, Any] = {"label.responses.status": ["submitted", "discarded"]}
    scored = [{"text": text, "cats": {name: float(name == side) for name in set(SIDES)}} for text, side in pairs()]
    listed = [one | {"label": [one["label"]]} for one in usual]
    by_column = {name: [one[name] for one in usual] for name in ("text", "label")}
    by_row = {name: {str(row): value for row, value in enumerate(values)} for name, values in by_column.items()}
    lines = {
        "labels in lists": listed,
        "text in a field called data": objects("data", "label"),
        "reviewText": objects("reviewText", "sentiment", helpful=[0, 1]),
        "Argilla": [{"id": key, "fields": one} for key, one in zip(KEYS, usual, strict=True)],
        "records within records": [{"id": 1, "doc": {"text": text}, "said": {"label": side}} for text, side in pairs()],
        "answers to Argilla": answered,
        "answers to Argilla, version 1": submitted,
        "answers to Argilla, flat": [one | states for one in flat],
        "spaCy": scored,
        "Prodigy": [{"text": text, "accept": [side], "answer": "accept"} for text, side in pairs()],
        "issues of GitHub": [{"body": text, "labels": [{"name": side, "id": 1}]} for text, side in pairs()],
        "unusual fields": objects("headline", "section", day="2026-02-01"),
    }
    documents: dict[str, object] = {
        "records under data": {"version": "1.0", "data": usual},
        "tweets of Twitter's archive": [{"tweet": {"full_text": t, "id": "1", "label": s}} for t, s in pairs()],
        "phpMyAdmin": [{"type": "header", "comment": "Export to JSON"}, {"type": "table", "name": "r", "data": usual}],
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
        two_columns("annotators who differ", lines_of(flat), labels=[None] * len(TEXTS), file_name="a.jsonl"),
        two_columns("JSON lines called .json", lines_of(usual), file_name="a.json"),
        two_columns("JSON called .jsonl", json.dumps(usual).encode(), file_name="a.jsonl"),
    ]


PUBLISHED = [*_tables(), *_lines(), *_json()]
"""All of them; their names differ."""
