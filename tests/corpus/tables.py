"""Tables as Excel, pandas, databases and labelling tools write them, each with the texts and labels that it holds."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Rows = Sequence[Sequence[str]]

TEXTS = (
    "The battery lasts two days",
    "Arrived late, and the box was torn",
    "Works as described; would buy again",
    "I wanted to like it, but no",
    "Great sound | poor manual",
    "Five stars from my whole family",
    "It broke on the first day, sadly",
    "Better than the one I had before",
    "The colour is not what I ordered",
    "Quick answer from the seller, thank you",
    "Not worth the money",
    "My daughter loves it, every day",
)
GERMAN = (
    "Der Akku hält zwei Tage",
    "Zu spät geliefert, und die Schachtel war zerrissen",
    "Funktioniert wie beschrieben; würde ich wieder kaufen",
    "Ich wollte es mögen, aber nein",
    "Schöner Klang, schlechte Anleitung",
    "Fünf Sterne von der ganzen Familie",
    "Ging am ersten Tag kaputt, schade",
    "Besser als das, das ich vorher hatte",
    "Die Farbe ist nicht die bestellte, ärgerlich",
    "Schnelle Antwort vom Verkäufer, danke",
    "Das Geld nicht wert für mich",
    "Meine Tochter liebt es, täglich größere Freude",
)
CHINESE = (
    "电池可以用两天,非常满意",
    "送货太晚了,盒子也破了",
    "和描述的一样,会再买",
    "我想喜欢它,但是不行",
    "声音很好,说明书不好",
    "全家人都给五颗星",
    "第一天就坏了,很可惜",
    "比我以前的那个好多了",
    "颜色不是我订的那个",
    "卖家回复很快,谢谢您",
    "不值这个价钱,失望",
    "我女儿每天都喜欢用它",
)
JAPANESE = (
    "バッテリーは二日間もちます",
    "到着が遅く、箱も破れていました",
    "説明のとおりに動きます",
    "好きになりたかったけれど、だめでした",
    "音はよいが、説明書が悪い",
    "家族みんなが星五つです",
    "初日に壊れてしまい、残念です",
    "前に持っていたものより良い",
    "注文した色と違っていました",
    "売り手の返事が早く、感謝します",
    "値段に見合う価値がない",
    "娘が毎日よろこんで使っています",
)
RUSSIAN = (
    "Батарея держит два дня",
    "Пришло поздно, коробка порвана",
    "Работает как описано, куплю ещё раз",
    "Хотел полюбить, но нет",
    "Отличный звук, плохая инструкция",
    "Пять звёзд от всей семьи",
    "Сломалось в первый день, жаль",
    "Лучше того, что было раньше",
    "Цвет не тот, который я заказал",
    "Быстрый ответ продавца, спасибо",
    "Не стоит своих денег",
    "Дочь пользуется каждый день",
)
SIDES = ("positive", "negative", "positive", "negative") * 3
STARS = ("5", "1", "4", "2") * 3


@dataclass(frozen=True)
class Table:
    """A file, and what it holds.

    Attributes:
        name: what kind of file it is.
        content: its bytes.
        texts: its texts in order.
        labels: of each text, None where it has none; empty where the table has no labels at all.
        file_name: its suffix says what it is.
    """

    name: str
    content: bytes
    texts: tuple[str, ...]
    labels: tuple[str | None, ...] = ()
    file_name: str = "texts.csv"


def written(rows: Rows, encoding: str = "utf-8", **options: Any) -> bytes:
    """Rows as Python's writer, which follows Excel, puts them down."""
    stream = io.StringIO(newline="")
    csv.writer(stream, **options).writerows(rows)
    return stream.getvalue().encode(encoding)


def plain(rows: Rows, delimiter: str = ",", newline: str = "\n") -> bytes:
    """Rows without any quotes."""
    return newline.join(delimiter.join(row) for row in rows).encode() + newline.encode()


def pairs(texts: Sequence[str] = TEXTS, labels: Sequence[str] = SIDES) -> list[tuple[str, str]]:
    return list(zip(texts, labels, strict=True))


def two_columns(
    name: str, content: bytes, texts: Sequence[str] = TEXTS, labels: Sequence[str | None] = SIDES, **fields: Any
) -> Table:
    return Table(name, content, tuple(texts), tuple(labels), **fields)


def _headings() -> list[Table]:
    numbered = [(str(number), *row) for number, row in enumerate(pairs(GERMAN), start=1)]
    indexed = [(str(number), *row) for number, row in enumerate(pairs())]
    tweets = [
        (str(570306133677760513 + number), side, "0.6837", "United", "cairdin", "0", text, "2015-02-24 11:35:52 -0800")
        for number, (text, side) in enumerate(pairs())
    ]
    heads = ("tweet_id", "airline_sentiment", "confidence", "airline", "name", "retweets", "text", "tweet_created")
    toxic = [
        (f"0000997932d777{number:02d}", text, str(number % 2), str(number % 3)) for number, text in enumerate(TEXTS)
    ]
    return [
        two_columns("text and label", written([("text", "label"), *pairs()])),
        two_columns("label first", written([("label", "text"), *[(b, a) for a, b in pairs()]])),
        two_columns("capitals and spaces", written([(" Text ", "LABEL"), *pairs()])),
        two_columns("no header", written(pairs())),
        two_columns("review and sentiment", written([("review", "sentiment"), *pairs()])),
        two_columns(
            "headings of two words", written([("Review text", "Star rating"), *pairs(labels=STARS)]), labels=STARS
        ),
        two_columns("German headings", written([("Nr", "Review", "Stimmung"), *numbered], delimiter=";"), texts=GERMAN),
        two_columns(
            "Kommentar and Note",
            written([("Kommentar", "Note"), *pairs(GERMAN, STARS)], delimiter=";"),
            texts=GERMAN,
            labels=STARS,
        ),
        two_columns("Chinese headings", written([("评论", "星级"), *pairs(CHINESE, STARS)]), CHINESE, STARS),
        two_columns("index of pandas", written([("", "text", "label"), *indexed])),
        two_columns("many columns", written([heads, *tweets])),
        Table("several columns of labels", written([("id", "comment_text", "toxic", "severe_toxic"), *toxic]), TEXTS),
        Table("one column with a header", written([("text",), *[(text,) for text in TEXTS]]), TEXTS),
        Table("one column without a header", written([(text,) for text in TEXTS]), TEXTS),
        Table(
            "header in another language, one column", written([("Rückmeldung",), *[(text,) for text in GERMAN]]), GERMAN
        ),
        two_columns(
            "single words",
            written([("text", "label"), *[(text.split()[1], side) for text, side in pairs()]]),
            [text.split()[1] for text in TEXTS],
        ),
    ]


def _delimiters() -> list[Table]:
    semicolons = [(text.replace(";", ","), side) for text, side in pairs()]
    once_quoted = [*semicolons[:5], ("Works as described; would buy again", "negative"), *semicolons[6:]]
    scored = [(text, score) for text, score in zip(GERMAN, ("0,5", "0,25", "1,0", "0,75") * 3, strict=True)]
    bare = [(text, side) for text, side in pairs() if "," not in text]
    trailing = [(*row, "") for row in pairs()]
    preamble = b"Export of 1 February\r\n\r\n"
    return [
        two_columns(
            "semicolons of Excel, one of them in a quoted cell",
            written([("text", "label"), *once_quoted], delimiter=";"),
            [text for text, _ in once_quoted],
        ),
        two_columns("sep= in the first line", b"sep=;\r\n" + written([("text", "label"), *pairs()], delimiter=";")),
        two_columns("sep= and tabs", b"sep=\t\r\n" + written([("text", "label"), *pairs()], delimiter="\t")),
        two_columns("tabs", written([("text", "label"), *pairs()], delimiter="\t"), file_name="texts.tsv"),
        two_columns("tabs in a .csv", written([("text", "label"), *pairs()], delimiter="\t")),
        two_columns("bars", written([("text", "label"), *pairs()], delimiter="|")),
        two_columns(
            "decimal commas beside semicolons",
            written([("text", "score"), *scored], delimiter=";"),
            GERMAN,
            [score for _, score in scored],
        ),
        two_columns("nothing quoted", plain([("text", "label"), *bare]), [a for a, _ in bare], [b for _, b in bare]),
        two_columns(
            "lines before the table",
            preamble + written([("text", "label"), *semicolons], delimiter=";"),
            [text for text, _ in semicolons],
        ),
        two_columns("names of rows by R", b"text,label\n" + written([(str(n), *row) for n, row in enumerate(pairs())])),
        two_columns("a delimiter at the end of all rows but the first", b"text,label\n" + written(trailing)),
        two_columns("a delimiter at every end", written([("text", "label", ""), *trailing], delimiter=";")),
        Table("one column, commas not quoted", plain([("text",), *[(text,) for text in TEXTS]]), TEXTS),
        Table("one column, commas not quoted, no header", plain([(text,) for text in TEXTS]), TEXTS),
        Table(
            "one column with bars",
            plain([("text",), *[(f"{text} | {text}",) for text in TEXTS[:4]], *[(text,) for text in TEXTS]]),
            (*[f"{text} | {text}" for text in TEXTS[:4]], *TEXTS),
        ),
        Table(
            "one column, every text with one comma",
            plain([("text",), *[(f"Well, {text.replace(',', '')}",) for text in TEXTS]]),
            tuple(f"Well, {text.replace(',', '')}" for text in TEXTS),
        ),
    ]


def _quotes() -> list[Table]:
    inches = [(f'The 5" screen, no {number}', side) for number, (_, side) in enumerate(pairs())]
    late = [(f"Number {number} is fine", "positive") for number in range(1500)]
    said = ('He said "never again", and I agree', "negative")
    broken = [(text.replace(" ", "\n", 1), side) for text, side in pairs()]
    backslashed = "\n".join(f'"{text}, \\"he said\\"",{side}' for text, side in pairs())
    single = "\n".join(f"'{text}',{side}" for text, side in pairs())
    return [
        two_columns("every cell quoted", written([("text", "label"), *pairs()], quoting=csv.QUOTE_ALL)),
        two_columns("doubled quotes", written([("text", "label"), *inches]), [text for text, _ in inches]),
        two_columns(
            "a doubled quote after 1,500 rows",
            written([("text", "label"), *late, said], quoting=csv.QUOTE_ALL),
            [text for text, _ in [*late, said]],
            [side for _, side in [*late, said]],
        ),
        two_columns("line breaks in cells", written([("text", "label"), *broken]), [text for text, _ in broken]),
        two_columns(
            "quotes by backslash", f"text,label\n{backslashed}\n".encode(), [f'{text}, "he said"' for text in TEXTS]
        ),
        two_columns("single quotes", f"text,label\n{single}\n".encode()),
        two_columns(
            "bare quotes among tabs",
            plain([("text", "label"), *inches], "\t"),
            [text for text, _ in inches],
            file_name="texts.tsv",
        ),
        two_columns(
            "long texts",
            written([("text", "label"), *[(f"{a}, " * 300 + a, b) for a, b in pairs()]]),
            [f"{text}, " * 300 + text for text in TEXTS],
        ),
    ]


def _encodings() -> list[Table]:
    german, rows = pairs(GERMAN), [("text", "label"), *pairs(GERMAN)]
    curly = [(f"“{text}” – 5 € … für’s Geld", side) for text, side in german]
    return [
        two_columns("UTF-8 with a mark", codecs.BOM_UTF8 + written(rows), GERMAN),
        two_columns("UTF-16 of Excel", codecs.BOM_UTF16_LE + written(rows, "utf-16-le", delimiter="\t"), GERMAN),
        two_columns(
            "Unicode text of Excel",
            codecs.BOM_UTF16_LE + written(rows, "utf-16-le", delimiter="\t"),
            GERMAN,
            file_name="texts.txt",
        ),
        two_columns("UTF-16 of the other order", codecs.BOM_UTF16_BE + written(rows, "utf-16-be"), GERMAN),
        two_columns("Windows-1252", written(rows, "cp1252", delimiter=";"), GERMAN),
        two_columns(
            "Windows-1252 with curly quotes",
            written([("text", "label"), *curly], "cp1252"),
            [text for text, _ in curly],
        ),
        Table("Latin-1, lines", "\n".join(GERMAN).encode("latin-1"), GERMAN, file_name="texts.txt"),
        two_columns("Windows-1251", written([("text", "label"), *pairs(RUSSIAN)], "cp1251", delimiter=";"), RUSSIAN),
        two_columns("GB18030", written([("评论", "星级"), *pairs(CHINESE, STARS)], "gb18030"), CHINESE, STARS),
        two_columns("Shift-JIS", written([("text", "label"), *pairs(JAPANESE)], "shift_jis"), JAPANESE),
        two_columns(
            "emoji",
            written([("text", "label"), *[(f"{a} 😀", b) for a, b in pairs()]]),
            [f"{text} 😀" for text in TEXTS],
        ),
    ]


def _endings() -> list[Table]:
    rows = [("text", "label"), *pairs()]
    content = written(rows)
    ragged = [*pairs()[:-2], (TEXTS[-2],), (TEXTS[-1],)]
    given = ("positive", "nan", "", "NaN", "negative", "None", "N/A", "null", "positive", "negative", "", "x")
    unlabelled = pairs(labels=given)
    expected = ("positive", None, None, None, "negative", "None", None, None, "positive", "negative", None, "x")
    return [
        two_columns("line feeds", content.replace(b"\r\n", b"\n")),
        two_columns("carriage returns", content.replace(b"\r\n", b"\r")),
        two_columns("empty lines between rows", content.replace(b"\r\n", b"\r\n\r\n")),
        two_columns("no line end at the end", content.rstrip()),
        two_columns("short rows", written([("text", "label"), *ragged]), labels=(*SIDES[:-2], None, None)),
        two_columns("labels that say there is none", written([("text", "label"), *unlabelled]), labels=expected),
        two_columns("one row", written(rows[:2]), TEXTS[:1], SIDES[:1]),
        two_columns("two rows", written(rows[:3]), TEXTS[:2], SIDES[:2]),
    ]


TABLES = [*_headings(), *_delimiters(), *_quotes(), *_encodings(), *_endings()]
"""All of them; their names differ."""

UNSURE = "text;label\nno funciona, niño;neg\n".encode("mac-roman")
"""A table whose bytes fit several encodings."""
