"""Texts as surveys, trackers, chats and people at their spreadsheets leave them: with rows that are no data."""

from __future__ import annotations

from tests.corpus.published import DAYS, TIMES
from tests.corpus.tables import SIDES, STARS, TEXTS, Table, pairs, two_columns, written

_COUNT = range(len(TEXTS))
_HEARD = ("How did you hear of us?", *("by a friend", "by a page") * 6)


def _surveys() -> list[Table]:
    questions = ("What did you think of it?", "How satisfied are you with it?")
    keys = ('{"ImportId":"startDate","timeZone":"UTC"}', '{"ImportId":"QID1_TEXT"}', '{"ImportId":"QID2"}')
    answers = [(day, *row) for day, row in zip(DAYS, pairs(), strict=True)]
    likely = [(f"a{at}", text, star, TIMES[at]) for at, (text, star) in enumerate(pairs(labels=STARS))]
    return [
        two_columns(
            "three rows of headings, of Qualtrics",
            written([("StartDate", "Q1", "Q2"), ("Start Date", *questions), keys, *answers]),
        ),
        two_columns(
            "two rows of headings, of SurveyMonkey",
            written([("Start Date", *questions), ("", "Open-Ended Response", "Response"), *answers]),
        ),
        two_columns(
            "questions as headings, and a # above numbers, of Typeform",
            written([("#", questions[0], "How likely is it that you would recommend us?", "Date"), *likely]),
            labels=STARS,
        ),
        two_columns(
            "answers of two words that recur, beside texts",
            written([(questions[0], _HEARD[0]), *zip(TEXTS, _HEARD[1:], strict=True)]),
            labels=_HEARD[1:],
        ),
    ]


def _trackers() -> list[Table]:
    notes = [f"12/Feb/23 9:{at:02d} AM;anna;Please see the log, too" for at in _COUNT]
    issues = zip([f"AB-{at}" for at in _COUNT], TEXTS, SIDES, notes, strict=True)
    return [
        two_columns(
            "issues of Jira with comments",
            written([("Issue key", "Description", "Category", "Comment"), *issues]),
        )
    ]


def _totals() -> list[Table]:
    rows = [("Comment", "Score"), *pairs(labels=STARS)]
    return [
        two_columns("a total at the end", written([*rows, ("Total", "36")]), labels=STARS),
        two_columns("a total behind an empty row", written([*rows, ("", ""), ("Summe:", "36,0")]), labels=STARS),
        two_columns(
            "the word total, not at the end",
            written([("text", "score"), ("Total", "5"), ("Sum", "1"), ("Nothing", "5"), ("Something", "1")]),
            ("Total", "Sum", "Nothing", "Something"),
            ("5", "1", "5", "1"),
        ),
    ]


def _chats() -> list[Table]:
    said = [text if at else f"{text}\nand not three" for at, text in enumerate(TEXTS)]
    android = ["12/02/2023, 09:12 - Messages and calls are end-to-end encrypted."]
    android += [f"12/02/2023, 09:{at + 13} - {('Anna', 'Ben S')[at % 2]}: {text}" for at, text in enumerate(said)]
    android += ["12/02/2023, 10:00 - Anna: <Media omitted>"]
    phone = [f"[12.02.23, 09:{at + 13}:07] {('Anna', 'Ben S')[at % 2]}: {text}" for at, text in enumerate(said)]
    phone += ["\u200e[12.02.23, 10:00:07] Anna: \u200eimage omitted"]
    return [
        Table(f"a chat of WhatsApp, {name}", "\n".join(lines).encode(), tuple(said), file_name="_chat.txt")
        for name, lines in (("Android", android), ("iPhone", phone))
    ]


SURVEYS = [*_surveys(), *_trackers(), *_totals(), *_chats()]
"""All of them; their names differ."""
