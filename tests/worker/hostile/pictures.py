"""Pictures of the other formats, files that are no pictures, and files that are two things at once."""

from __future__ import annotations

import io
import struct
import zipfile

from PIL import Image

from tests.corpus import heic
from tests.worker.hostile.case import ACCEPTED, Case, encoded, good, picture
from tests.worker.hostile.pngs import DAMAGED, TOO_LARGE


def jpeg(tag: str, **options: object) -> bytes:
    return encoded(picture(tag, (64, 64)), "JPEG", **options)


def jpeg_claiming(tag: str, width: int, height: int) -> bytes:
    data = bytearray(jpeg(tag))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def with_exif(tag: str, exif: bytes) -> bytes:
    return jpeg(tag, exif=b"Exif\0\0" + exif)


def orientation(value: int) -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x0112, 3, 1, value, 0) + b"\0\0\0\0"


def many_scans(tag: str) -> bytes:
    """A progressive JPEG that repeats its last scan a thousand times."""
    data = jpeg(tag, progressive=True)
    scan = data.rindex(b"\xff\xda")
    return data[:-2] + data[scan:-2] * 1000 + data[-2:]


def gif(tag: str, frames: int) -> bytes:
    images = [picture(f"{tag}{number}", (4, 4)) for number in range(frames)]
    return encoded(images[0], "GIF", save_all=True, append_images=images[1:])


def ten_thousand_frames(tag: str) -> bytes:
    whole = encoded(picture(tag, (4, 4)), "GIF")
    start = whole.index(b",", 13 + 3 * 2 ** ((whole[10] & 7) + 1))
    return whole[:start] + whole[start:-1] * 10_000 + b";"


def gif_screen(tag: str, width: int, height: int) -> bytes:
    data = bytearray(gif(tag, 1))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def webp_canvas(tag: str) -> bytes:
    body = (
        b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"\xff\xff\xff" * 2 + encoded(picture(tag), "WEBP")[12:]
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp(width: int, height: int, compression: int = 0, pixels: bytes = b"") -> bytes:
    depth = 8 if compression else 24
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, compression, len(pixels), 0, 0, 2, 0)
    palette = bytes(8) if compression else b""
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + palette + pixels


def tiff(entries: dict[int, tuple[int, int, int]], next_directory: int = 0, data: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory; entries are tag: (type, count, value)."""
    directory = struct.pack("<H", len(entries))
    for tag, (kind, count, value) in sorted(entries.items()):
        directory += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0\x08\0\0\0" + directory + struct.pack("<I", next_directory) + data


def tiff_claiming(width: int, height: int, **changes: int) -> bytes:
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: height, 279: width * height}
    entries |= {int(name[1:]): value for name, value in changes.items()}
    return tiff({tag: (4, 1, value & 0xFFFFFFFF) for tag, value in entries.items()}, data=bytes(300))


def zip_after(data: bytes, tag: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{tag}inner.png", good(f"{tag}inner"))
    return data + stream.getvalue()


HTML = b"<html><script>alert(1)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'

CASES = [
    Case("empty", ".png", lambda tag: b"", {"empty_file": 1}),
    Case("one-byte", ".png", lambda tag: b"\x89", DAMAGED),
    Case("zeros", ".jpg", lambda tag: bytes(100_000), DAMAGED),
    Case("jpeg-cut", ".jpg", lambda tag: jpeg(tag)[:300], DAMAGED),
    Case("jpeg-cut-in-half", ".jpg", lambda tag: encoded(Image.effect_noise((99, 99), 90), "JPEG")[:2000], DAMAGED),
    Case("jpeg-largest-claim", ".jpg", lambda tag: jpeg_claiming(tag, 65_500, 65_500), TOO_LARGE),
    Case("jpeg-claims-more", ".jpg", lambda tag: jpeg_claiming(tag, 400, 400), {ACCEPTED: 1}),
    Case("jpeg-thousand-scans", ".jpg", many_scans, {ACCEPTED: 1}),
    Case("jpeg-cmyk", ".jpg", lambda tag: encoded(picture(tag, mode="CMYK"), "JPEG"), {ACCEPTED: 1}),
    Case("exif-turned", ".jpg", lambda tag: with_exif(tag, orientation(6)), {ACCEPTED: 1}),
    Case("exif-unknown-turn", ".jpg", lambda tag: with_exif(tag, orientation(99)), {ACCEPTED: 1}),
    Case("exif-noise", ".jpg", lambda tag: with_exif(tag, b"\xff" * 200), {ACCEPTED: 1}),
    Case("exif-cut", ".jpg", lambda tag: with_exif(tag, orientation(6)[:14]), {ACCEPTED: 1}),
    Case("exif-loop", ".jpg", lambda tag: with_exif(tag, b"II*\0\x08\0\0\0\0\0\x08\0\0\0"), {ACCEPTED: 1}),
    Case("gif-ten-thousand-frames", ".gif", ten_thousand_frames, {ACCEPTED: 1}),
    Case("gif-animated", ".gif", lambda tag: gif(tag, 3), {ACCEPTED: 1}),
    Case("gif-giant-screen", ".gif", lambda tag: gif_screen(tag, 65_535, 65_535), TOO_LARGE),
    Case("gif-cut", ".gif", lambda tag: gif(tag, 1)[:25], DAMAGED),
    Case("webp-giant-canvas", ".webp", webp_canvas, TOO_LARGE),
    Case("webp-cut", ".webp", lambda tag: encoded(picture(tag), "WEBP")[:40], DAMAGED),
    Case("bmp-giant", ".bmp", lambda tag: bmp(2**31 - 1, 2**31 - 1), TOO_LARGE),
    Case("bmp-negative", ".bmp", lambda tag: bmp(-8, 8, pixels=bytes(200)), TOO_LARGE),
    Case("bmp-rle-bomb", ".bmp", lambda tag: bmp(2000, 1999, 1, b"\xff\0" * 20), DAMAGED),
    Case("bmp-without-pixels", ".bmp", lambda tag: bmp(1000, 1000), DAMAGED),
    Case("tiff-giant", ".tif", lambda tag: tiff_claiming(2**31 - 1, 2**31 - 1), TOO_LARGE),
    Case("tiff-without-pixels", ".tif", lambda tag: tiff_claiming(1999, 2000), DAMAGED),
    Case(
        "tiff-tiles-beside-strips",
        ".tif",
        lambda tag: tiff_claiming(8, 8, t322=2**31 - 16, t323=2**31 - 16, t324=200),
        {ACCEPTED: 1},
    ),
    Case("tiff-deflate-noise", ".tif", lambda tag: tiff_claiming(900, 900, t259=8), DAMAGED),
    Case("tiff-entry-count-lie", ".tif", lambda tag: tiff({256: (4, 2**31, 8), 257: (4, 1, 8)}), DAMAGED),
    Case("tiff-loop", ".tif", lambda tag: tiff({256: (4, 1, 8)}, next_directory=8), DAMAGED),
    Case("ppm-giant", ".ppm", lambda tag: b"P6 999999 999999 255\n", TOO_LARGE),
    Case("ppm-without-pixels", ".ppm", lambda tag: b"P6 1000 1000 255\nxyz", DAMAGED),
    Case("ppm-endless-number", ".ppm", lambda tag: b"P6 " + b"9" * 1_000_000, DAMAGED),
    Case("avif-cut", ".avif", lambda tag: encoded(picture(tag), "AVIF")[:-40], DAMAGED),
    Case("heic-fatal", ".heic", lambda tag: heic.FATAL, {"decoding_crashed": 1}),
    Case("heic-cut", ".heic", lambda tag: heic.UPRIGHT[:-40], DAMAGED),
    Case("ico", ".ico", lambda tag: encoded(picture(tag), "ICO"), DAMAGED),
    Case("psd", ".psd", lambda tag: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3), DAMAGED),
    Case("eps-runs-ghostscript", ".eps", lambda tag: encoded(picture(tag), "EPS"), DAMAGED),
    Case("jpeg-2000", ".jp2", lambda tag: encoded(picture(tag), "JPEG2000"), DAMAGED),
    Case("pdf", ".jpg", lambda tag: b"%PDF-1.4 " + jpeg(tag), DAMAGED),
    Case("svg", ".svg", lambda tag: SVG, DAMAGED),
    Case("svg-in-disguise", ".png", lambda tag: SVG + b" ", DAMAGED),
    Case("html-in-disguise", ".png", lambda tag: HTML, DAMAGED),
    Case("gif-and-html", ".gif", lambda tag: gif(tag, 1) + HTML, {ACCEPTED: 1}),
    Case("png-and-zip", ".png", lambda tag: zip_after(good(tag), tag), {ACCEPTED: 1}),
    Case("jpeg-and-zip", ".jpg", lambda tag: zip_after(jpeg(tag), tag), {ACCEPTED: 1}),
    Case("larger-than-an-item", ".png", lambda tag: good(tag) + bytes(2 * 1024**2), {"item_too_large": 1}),
]
