"""Workbooks as Excel 97 to 2003 writes them: records of BIFF8 in a compound file (MS-XLS, MS-CFB)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

_GLOBALS, _SHEET, _BOUND_SHEET, _BEGIN, _END, _NUMBER, _LABEL = 0x05, 0x10, 0x85, 0x0809, 0x0A, 0x0203, 0x0204
_SECTOR, _SMALLEST_STREAM = 512, 4096
_IS_TABLE, _IS_LAST, _IS_FREE = 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF


def old_workbook(rows: Sequence[Sequence[Any]], sheet: str = "Tabelle1") -> bytes:
    """An `.xls` of one sheet, of some kilobytes at most."""
    head, end = _record(_BEGIN, struct.pack("<HHHHII", 0x0600, _GLOBALS, 0, 0, 0, 6)), _record(_END)
    name = struct.pack("<H", 0) + _string(sheet, "<B")
    place = len(head) + len(_record(_BOUND_SHEET, bytes(4) + name)) + len(end)
    cells = [_cell(y, x, value) for y, row in enumerate(rows) for x, value in enumerate(row) if value is not None]
    body = _record(_BEGIN, struct.pack("<HHHHII", 0x0600, _SHEET, 0, 0, 0, 6)) + b"".join(cells) + end
    return _contained(head + _record(_BOUND_SHEET, struct.pack("<I", place) + name) + end + body)


def _record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _string(text: str, count: str = "<H") -> bytes:
    return struct.pack(count, len(text)) + b"\1" + text.encode("utf-16-le")


def _cell(row: int, column: int, value: Any) -> bytes:
    place = struct.pack("<HHH", row, column, 0)
    if isinstance(value, str):
        return _record(_LABEL, place + _string(value))
    return _record(_NUMBER, place + struct.pack("<d", value))


def _contained(stream: bytes) -> bytes:
    """A compound file of that stream: a header, one sector of the table of sectors, the directory, the stream."""
    size = max(_SMALLEST_STREAM, len(stream) + -len(stream) % _SECTOR)
    sectors = size // _SECTOR
    table = [_IS_TABLE, _IS_LAST, *range(3, sectors + 2), _IS_LAST]
    assert len(table) <= _SECTOR // 4
    table += [_IS_FREE] * (_SECTOR // 4 - len(table))
    numbers = (1, 1, 0, _SMALLEST_STREAM, _IS_LAST, 0, _IS_LAST, 0)
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6xI", 0x3E, 3, 0xFFFE, 9, 6, 0)
    header += struct.pack("<8I", *numbers) + struct.pack("<109I", 0, *[_IS_FREE] * 108)
    directory = _entry("Root Entry", 5, 1, _IS_LAST, 0) + _entry("Workbook", 2, _IS_FREE, 2, size)
    return header + struct.pack("<128I", *table) + directory.ljust(_SECTOR, b"\0") + stream.ljust(size, b"\0")


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    raw = f"{name}\0".encode("utf-16-le")
    about = struct.pack("<HBB3I36xIQ", len(raw), kind, 1, _IS_FREE, _IS_FREE, child, start, size)
    return raw.ljust(64, b"\0") + about
