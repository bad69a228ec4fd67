"""What the process that decodes pictures is asked, and by which bytes."""

from __future__ import annotations

import struct
from enum import IntEnum

#: Bytes of the picture's file, largest picture in pixels, what is wanted of it.
REQUEST = struct.Struct(">QQB")
READY = b"ready\n"


class Wanted(IntEnum):
    """What is wanted of a picture: its pixels, whether they can be decoded, its header's size, or a small copy."""

    PIXELS = 0
    CHECK = 1
    SIZE = 2
    THUMBNAIL = 3


WITH_PIXELS = (Wanted.PIXELS, Wanted.THUMBNAIL)
