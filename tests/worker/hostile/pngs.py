"""PNG files with false headers, that are cut off, or that unpack to far more."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.worker.hostile.case import ACCEPTED, Case, encoded, good, picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SWOLLEN = zlib.compress(bytes(4 * 1024**2), 1)
DAMAGED = {"undecodable_image": 1}
TOO_LARGE = {"image_too_large": 1}


def chunk(kind: bytes, data: bytes, crc: int | None = None, length: int | None = None) -> bytes:
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", crc)


def header(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def rows(width: int, height: int, tag: str) -> bytes:
    line = b"\0" + (zlib.crc32(tag.encode()).to_bytes(4, "big") * width)[: 3 * width]
    return chunk(b"IDAT", zlib.compress(line * height))


def with_chunk(tag: str, extra: bytes) -> bytes:
    """A whole picture with one chunk more, before its pixels."""
    return png(header(8, 8), extra, rows(8, 8, tag))


def damaged_at(tag: str, position: int) -> bytes:
    data = bytearray(good(tag))
    data[position] ^= 0xFF
    return bytes(data)


def compressed_text(kind: bytes) -> bytes:
    prefix = b"Comment\0\0" if kind == b"zTXt" else b"Comment\0\1\0\0\0"
    return chunk(kind, prefix + SWOLLEN)


def animated(tag: str) -> bytes:
    stream = io.BytesIO()
    frames = [picture(f"{tag}{number}") for number in range(4)]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def sixteen_bits(tag: str) -> bytes:
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000 + zlib.crc32(tag.encode()) % 999
    return encoded(Image.fromarray(values))


def many_text_chunks(tag: str) -> bytes:
    return with_chunk(tag, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(900_000), 1)) * 200)


CASES = [
    Case("png-mark-alone", ".png", lambda tag: SIGNATURE, DAMAGED),
    Case("png-giant", ".png", lambda tag: png(header(100_000, 100_000), rows(8, 8, tag)), TOO_LARGE),
    Case("png-largest-claim", ".png", lambda tag: png(header(2**31 - 1, 2**31 - 1), rows(8, 8, tag)), TOO_LARGE),
    Case("png-one-pixel-too-many", ".png", lambda tag: png(header(4001, 1000), rows(8, 8, tag)), TOO_LARGE),
    Case("png-long-and-thin", ".png", lambda tag: png(header(2**31 - 1, 1), rows(8, 8, tag)), TOO_LARGE),
    Case("png-no-width", ".png", lambda tag: png(header(0, 8), rows(8, 8, tag)), DAMAGED),
    Case("png-claims-more-rows", ".png", lambda tag: png(header(1500, 1500), rows(8, 8, tag)), DAMAGED),
    Case("png-interlaced-lie", ".png", lambda tag: png(header(900, 900, interlace=1), rows(8, 8, tag)), DAMAGED),
    Case("png-pixels-swell", ".png", lambda tag: png(header(8, 8), rows(8, 20_000, tag)), {ACCEPTED: 1}),
    Case("png-ztxt-bomb", ".png", lambda tag: with_chunk(tag, compressed_text(b"zTXt")), DAMAGED),
    Case("png-itxt-bomb", ".png", lambda tag: with_chunk(tag, compressed_text(b"iTXt")), DAMAGED),
    Case("png-text-chunks-swell", ".png", many_text_chunks, DAMAGED),
    Case(
        "png-iccp-bomb",
        ".png",
        lambda tag: with_chunk(tag, chunk(b"iCCP", b"p\0\0" + SWOLLEN)),
        DAMAGED,
    ),
    Case("png-header-crc", ".png", lambda tag: damaged_at(tag, 29), DAMAGED),
    Case("png-pixels-damaged", ".png", lambda tag: damaged_at(tag, 50), DAMAGED),
    Case("png-pixels-are-noise", ".png", lambda tag: png(header(8, 8), chunk(b"IDAT", b"noise" * 20)), DAMAGED),
    Case("png-without-pixels", ".png", lambda tag: png(header(8, 8)), DAMAGED),
    Case("png-cut-in-pixels", ".png", lambda tag: good(tag)[:60], DAMAGED),
    Case("png-chunk-length-lie", ".png", lambda tag: with_chunk(tag, chunk(b"teXt", b"x", length=2**31 - 1)), DAMAGED),
    Case("png-colour-type-unknown", ".png", lambda tag: png(header(8, 8, colour=5), rows(8, 8, tag)), DAMAGED),
    Case("png-sixteen-bits", ".png", sixteen_bits, {ACCEPTED: 1}),
    Case("png-palette-alpha", ".png", lambda tag: encoded(picture(tag, mode="P"), transparency=0), {ACCEPTED: 1}),
    Case("png-grey-alpha", ".png", lambda tag: encoded(picture(tag, mode="LA")), {ACCEPTED: 1}),
    Case("png-animated", ".png", animated, {ACCEPTED: 1}),
    Case("png-followed-by-noise", ".png", lambda tag: good(tag) + b"\xff" * 10_000, {ACCEPTED: 1}),
]
