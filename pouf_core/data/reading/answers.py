"""The answer of the process that reads files, written some rows at a time."""

from __future__ import annotations

import json
from typing import IO, Any

from pouf_core.data.limited_process import limit_cpu
from pouf_core.data.reading.protocol import ANSWER, ANSWERS_PER_ALLOWANCE, Fault, Kind, Refusal
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.errors import InvalidInput

Json = Any
_ROWS, _CHARACTERS = 500, 256 * 1024
_PIECE_BYTES = 1024**2


class Answer:
    """Writes one answer.

    Args:
        stream: where it goes.
        cpu_seconds: of computing, for the first rows, and anew for others while it gets on.
    """

    def __init__(self, stream: IO[bytes], cpu_seconds: float) -> None:
        self._stream = stream
        self._cpu_seconds = cpu_seconds
        self._rows: list[Json] = []
        self._characters = self._written = 0
        limit_cpu(cpu_seconds)

    def about(self, value: Json) -> None:
        """Say what to know before the rows that follow."""
        self._flush()
        self._write(Kind.ABOUT, value)

    def row(self, row: Json, characters: int) -> None:
        """Give a row of so many characters."""
        self._rows.append(row)
        self._characters += characters
        if len(self._rows) >= _ROWS or self._characters >= _CHARACTERS:
            self._flush()

    def row_with_file(self, row: Json, content: bytes) -> None:
        """Give a row, and the file that it holds before it."""
        for start in range(0, len(content), _PIECE_BYTES):
            self._send(Kind.PIECE, content[start : start + _PIECE_BYTES])
        self.row(row, _CHARACTERS)

    def end(self) -> None:
        """Say that there are no more rows."""
        self._flush()
        self._write(Kind.END, None)

    def refuse(self, error: InvalidInput) -> None:
        """Say why there are no more rows."""
        self._flush()
        candidates = error.candidates if isinstance(error, AmbiguousTable) else None
        refusal = Refusal.model_construct(
            code=error.code, message=error.message, field=error.field, candidates=candidates
        )
        self._write(Kind.REFUSED, refusal.model_dump())

    def fault(self, error: OSError) -> None:
        """Say that the system, not the file, is the cause that there are no more rows."""
        self._flush()
        self._write(Kind.FAULT, Fault(number=error.errno or 0, said=error.strerror or "").model_dump())

    def _flush(self) -> None:
        if not self._rows:
            return
        rows, self._rows, self._characters = self._rows, [], 0
        self._write(Kind.ROWS, rows)
        self._written += 1
        if self._written % ANSWERS_PER_ALLOWANCE == 0:
            limit_cpu(self._cpu_seconds)

    def _write(self, kind: Kind, value: Json) -> None:
        # what is no character of the file's encoding may stand in messages and headings
        self._send(kind, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))

    def _send(self, kind: Kind, content: bytes) -> None:
        self._stream.write(ANSWER.pack(kind, len(content)) + content)
        self._stream.flush()
