"""The process that tells the dialect of an untrusted table: `python -m pouf_core.data.dialect_process MEMORY SECONDS`.

The beginning of the table comes in as UTF-8; one line of JSON goes out. `pouf_core.data.dialects` is the other side.
"""

from __future__ import annotations

import json
import sys
from tempfile import NamedTemporaryFile

import duckdb

from pouf_core.data.limited_process import limit_cpu, limit_resources

_FILE_BYTES = 2**20
_ASK = "SELECT Delimiter, Quote, Escape, SkipRows FROM sniff_csv(?, all_varchar = true)"
_NONE = "(empty)"


def sniff(head: bytes) -> dict[str, str | int]:
    """What DuckDB says of a table that begins so; a character is empty where there is none."""
    with NamedTemporaryFile(suffix=".csv") as file, duckdb.connect(config={"threads": 1}) as connection:
        file.write(head)
        file.flush()
        found = connection.execute(_ASK, [file.name]).fetchone()
    assert found is not None
    delimiter, quote, escape, skipped = ("" if value == _NONE else value for value in found)
    return {"delimiter": delimiter, "quote": quote, "escape": escape, "skipped": skipped}


def main() -> None:
    """Answer once."""
    limit_resources(int(sys.argv[1]), _FILE_BYTES)
    limit_cpu(float(sys.argv[2]))
    try:
        answer = sniff(sys.stdin.buffer.read(_FILE_BYTES))
    except OSError as error:  # of the file that is written, not of what is in it
        answer = {"errno": error.errno or 0, "strerror": error.strerror or ""}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
