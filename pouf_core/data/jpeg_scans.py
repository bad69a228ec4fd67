"""How often a JPEG is gone through to decode it: a scan of a few bytes costs as much time as the picture has blocks."""

from __future__ import annotations

import re

from pouf_core.contract.item_limits import MAX_PIXELS
from pouf_core.errors import InvalidInput

#: Pixels in all scans together. Programs write about ten scans, and 24 of four colours.
MOST_SCANNED_PIXELS = 30 * MAX_PIXELS
#: Neither a byte of numbers that is written as two, nor a restart between them.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_START, _END, _SCAN, _TEMPORARY = 0xD8, 0xD9, 0xDA, 0x01
_ALONE = (_START, _TEMPORARY)


def check_scans(data: bytes, size: tuple[int, int]) -> None:
    """Refuse a JPEG, by its file and its width and height, that has far more scans than any program writes.

    Raises:
        InvalidInput: `undecodable_image`.
    """
    most, scans, place = MOST_SCANNED_PIXELS // (size[0] * size[1]), 0, 0
    while found := _MARKER.search(data, place):
        kind, place = found[1][0], found.end()
        if kind == _END:
            return
        scans += kind == _SCAN
        if scans > most:
            message = f"The picture is stored in more than {most:,} scans; save it anew, in another program."
            raise InvalidInput("undecodable_image", message)
        if kind not in _ALONE:
            place += max(2, int.from_bytes(data[place : place + 2]))
