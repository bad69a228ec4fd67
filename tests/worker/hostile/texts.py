"""Files of texts that are damaged, endless or deep."""

from __future__ import annotations

import gzip

from tests.corpus.sheets import sheet_of
from tests.worker.hostile.case import ACCEPTED, Case
from tests.worker.hostile.zips import CORRUPT, zipped

LONG = 1_000_000
CORNERS = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


def lines(*extra: bytes) -> object:
    return lambda tag: b"\n".join([f"{tag} a good text".encode(), *extra]) + b"\n"


def table(*extra: bytes) -> object:
    head = [b"text,label", b"%s the first,a", b"%s the second,b", b"%s the third,a"]
    return lambda tag: b"\n".join([row.replace(b"%s", tag.encode()) for row in head] + list(extra)) + b"\n"


CASES = [
    Case("text-not-utf8", ".txt", lines(b"caf\xe9"), {ACCEPTED: 2}),  # Windows-1252
    Case("text-partly-utf8", ".txt", lines("naïveté".encode(), b"caf\xe9"), {ACCEPTED: 2, "undecodable_text": 1}),
    Case("text-cut-character", ".txt", lines("été".encode(), b"caf\xc3"), {ACCEPTED: 2, "undecodable_text": 1}),
    Case("text-utf16", ".txt", lambda tag: tag.encode("utf-16"), {ACCEPTED: 1}),
    Case("text-nul", ".txt", lines(b"a\0b"), {ACCEPTED: 1, "undecodable_text": 1}),
    Case("text-endless-line", ".txt", lines(b"x" * LONG, b"a text after it"), {ACCEPTED: 2, "text_too_long": 1}),
    Case("text-empty-file", ".txt", lambda tag: b"", {}),
    Case("text-overlong-utf8", ".txt", lines("déjà hâlé".encode(), b"\xc0\xaf"), {ACCEPTED: 2, "undecodable_text": 1}),
    Case("csv-open-quote", ".csv", table(b'"never closed' + b"x\n" * LONG), {"malformed_table": 1}),
    Case("csv-endless-line", ".csv", table(b"y" * LONG), {"malformed_table": 1}),
    Case(
        "csv-long-cell", ".csv", table(b'"' + b"z" * 150_000 + b'",a', b"the last,b"), {ACCEPTED: 4, "text_too_long": 1}
    ),
    Case("csv-nul", ".csv", table(b"a\0b,a"), {ACCEPTED: 3, "undecodable_text": 1}),
    Case("jsonl-deep", ".jsonl", lines(b"[" * 100_000), {"malformed_json": 2}),
    Case("jsonl-not-json", ".jsonl", lines(b'{"text": '), {"malformed_json": 2}),
    Case("jsonl-lone-surrogate", ".jsonl", lambda tag: b'{"text": "a \\ud800 b"}', {"undecodable_text": 1}),
    Case("jsonl-long-number", ".jsonl", lambda tag: b"9" * 5000, {"malformed_json": 1}),
    Case("jsonl-other-types", ".jsonl", lambda tag: b'{"text": 1}\n[]\nnull\n', {"no_text": 3}),
    Case("json-deep", ".json", lambda tag: b"[" * LONG, {"malformed_json": 1}),
    Case("json-open", ".json", lambda tag: b'{"texts": ["a", ', {"malformed_json": 1}),
    Case("json-enormous", ".json", lambda tag: b'["' + b"x" * 34_000_000 + b'"]', {"item_too_large": 1}),
    Case("xlsx-noise", ".xlsx", lambda tag: b"PK\3\4" + bytes(500), {"malformed_table": 1}),
    Case("xlsx-billions-of-cells", ".xlsx", lambda tag: sheet_of(CORNERS), {"malformed_table": 1}),
    Case("parquet-noise", ".parquet", lambda tag: b"PAR1" + bytes(500) + b"PAR1", {"malformed_table": 1}),
    Case("csv-gzip-bomb", ".csv.gz", lambda tag: gzip.compress(bytes(40_000_000)), {"archive_ratio_exceeded": 1}),
    Case("text-is-a-zip-bomb", ".txt", lambda tag: b"PK\3\4", CORRUPT),
    Case(
        "zipped-texts-climb",
        ".zip",
        lambda tag: zipped((f"../{tag}.txt", b"x"), (f"{tag}.txt", f"{tag} zipped".encode())),
        {ACCEPTED: 1, "unsafe_member_name": 1},
    ),
]
