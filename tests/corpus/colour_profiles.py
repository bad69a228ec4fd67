"""Colour profiles that say something else than sRGB does."""

from __future__ import annotations

from PIL import ImageCms

_TAG_BYTES = 12


def linear_profile() -> bytes:
    """The primaries of sRGB, with numbers in proportion to light: 55 of 255 looks as 128 does in sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + _TAG_BYTES * int.from_bytes(profile[128:132], "big"), _TAG_BYTES):
        name, start, size = bytes(profile[at : at + 4]), *(_number(profile, at + field) for field in (4, 8))
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            profile[start : start + 12] = b"curv" + bytes(8)  # no entry: the identity
            profile[at + 8 : at + 12] = (12).to_bytes(4, "big")
        elif name == b"desc":
            renamed = profile[start : start + size].replace("sRGB".encode("utf-16-be"), "flat".encode("utf-16-be"))
            profile[start : start + size] = renamed
    return bytes(profile)


def _number(profile: bytearray, at: int) -> int:
    return int.from_bytes(profile[at : at + 4], "big")
