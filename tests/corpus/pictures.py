"""Pictures as phones, cameras, scanners and browsers write them, with the colours that a person sees in them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests.corpus import heic
from tests.corpus.colour_profiles import linear_profile

Colour = tuple[int, int, int]

RED, BLUE, GREEN, WHITE = (200, 40, 40), (40, 60, 200), (0, 200, 0), (255, 255, 255)
SIZE = (64, 48)
ORIENTATION = 0x0112
TO_TURN = 6  # by a quarter, clockwise
GREYS: dict[str, Any] = {"top_left": (40, 40, 40), "top_right": (200, 200, 200)}


@dataclass(frozen=True)
class Picture:
    """A file, and what is seen.

    Attributes:
        name: what kind of file it is.
        content: its bytes.
        size: width and height as seen; None where it is refused.
        top_left, top_right: colours near these corners.
        code: why it is refused.
        tolerance: how far colours may be off; what is lossy is.
    """

    name: str
    content: bytes
    size: tuple[int, int] | None = SIZE
    top_left: Colour = BLUE
    top_right: Colour = RED
    code: str | None = None
    tolerance: int = 3


def drawn(first: Any = BLUE, rest: Any = RED, mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Another colour in the quarter at the top left."""
    image = Image.new(mode, size, rest)
    image.paste(first, (0, 0, size[0] // 2, size[1] // 2))
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned(kind: str) -> bytes:
    """A picture that is to be turned by a quarter."""
    exif = Image.Exif()
    exif[ORIENTATION] = TO_TURN
    return saved(drawn(), kind, exif=exif.tobytes())


def several(kind: str, **options: Any) -> bytes:
    """The picture, and green ones behind it."""
    return saved(drawn(), kind, save_all=True, append_images=[drawn(GREEN, GREEN)] * 2, **options)


def all_over(colour: Colour) -> dict[str, Any]:
    """What is seen of one colour."""
    return {"top_left": colour, "top_right": colour}


def refused(name: str, content: bytes, code: str) -> Picture:
    return Picture(name, content, None, code=code)


def _formats() -> list[Picture]:
    lossy = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}, "AVIF": {"quality": 90}}
    exact: Sequence[tuple[str, dict[str, Any]]] = [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("PPM", {}),
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
        ("PNG", {"optimize": True}),
    ]
    return [
        *(Picture(f"{kind} {options or ''}", saved(drawn(), kind, **options), tolerance=1) for kind, options in exact),
        *(Picture(f"lossy {kind}", saved(drawn(), kind, **options), tolerance=8) for kind, options in lossy.items()),
        Picture("progressive JPEG", saved(drawn(), "JPEG", progressive=True, quality=95), tolerance=8),
        Picture("HEIC", heic.UPRIGHT, tolerance=6),
    ]


def _orientations() -> list[Picture]:
    seen: dict[str, Any] = {"size": (48, 64), "top_left": RED, "top_right": BLUE, "tolerance": 8}
    kinds = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
    return [
        *(Picture(f"{kind} to be turned", turned(kind), **seen) for kind in kinds),
        Picture("HEIC to be turned", heic.TURNED, **seen),
    ]


def _several() -> list[Picture]:
    return [
        Picture("animated GIF", several("GIF", duration=100)),
        Picture("animated PNG", several("PNG")),
        Picture("animated WebP", several("WEBP", lossless=True)),
        Picture("TIFF of several pages", several("TIFF")),
        Picture("MPO of a camera with two lenses", several("MPO", quality=95), tolerance=8),
        Picture("animated AVIF", several("AVIF", quality=90), tolerance=8),
        Picture("HEIC of two, the second primary", heic.SECOND_IS_PRIMARY, **all_over(GREEN), tolerance=6),
    ]


def _colours() -> list[Picture]:
    grey16 = np.full((48, 64), 257 * 200, np.uint16)
    grey16[:24, :32] = 257 * 40
    clear = drawn((*BLUE, 0), (*RED, 255), "RGBA")
    palette = drawn().convert("P", palette=Image.Palette.ADAPTIVE)
    key = palette.getpixel((1, 1))
    yellow = Image.new("CMYK", SIZE, (0, 0, 255, 0))
    return [
        Picture("grey", saved(drawn(40, 200, "L")), **GREYS),
        Picture("black and white", saved(drawn(0, 1, "1")), top_left=(0, 0, 0), top_right=WHITE),
        Picture("16-bit grey", saved(Image.fromarray(grey16)), **GREYS),
        Picture("palette", saved(palette)),
        Picture("palette with a transparent colour", saved(palette, transparency=key), top_left=WHITE),
        Picture("transparent PNG", saved(clear), top_left=WHITE),
        Picture("transparent WebP", saved(clear, "WEBP", lossless=True), top_left=WHITE),
        Picture("grey and transparency", saved(clear.convert("LA")), top_left=WHITE, top_right=(88, 88, 88)),
        Picture("PNG with a transparent colour", saved(drawn(), transparency=BLUE), top_left=WHITE),
        *(Picture(f"CMYK in {kind}", saved(yellow, kind), **all_over((255, 255, 0))) for kind in ("TIFF", "JPEG")),
    ]


def _profiles() -> list[Picture]:
    profile, seen = linear_profile(), all_over((128, 128, 128))
    dark = Image.new("RGB", SIZE, (55, 55, 55))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kinds = ("PNG", "TIFF", "WEBP", "JPEG")
    return [
        *(Picture(f"{kind} with a profile", saved(dark, kind, icc_profile=profile), **seen) for kind in kinds),
        Picture("palette with a profile", saved(dark.convert("P"), icc_profile=profile), **seen, tolerance=8),
        Picture("the profile of sRGB", saved(drawn(), icc_profile=srgb)),
        Picture("a damaged profile", saved(drawn(), icc_profile=profile[:150])),
        Picture("a profile of other colours", saved(drawn(40, 200, "L"), "TIFF", icc_profile=profile), **GREYS),
    ]


def _refused() -> list[Picture]:
    large = Image.new("1", (9000, 6000))
    return [
        refused("empty", b"", "empty_file"),
        refused("a text", b"no picture", "undecodable_image"),
        refused("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "undecodable_image"),
        refused("JPEG cut off", saved(Image.effect_noise((99, 99), 90), "JPEG")[:2000], "undecodable_image"),
        refused("HEIC cut off", heic.UPRIGHT[:-40], "undecodable_image"),
        refused("HEIC that crashes its decoder", heic.FATAL, "decoding_crashed"),
        refused("long HEIC", heic.LONG, "extreme_aspect_ratio"),
        refused("1 x 65,000 pixels", saved(Image.new("1", (1, 65_000))), "extreme_aspect_ratio"),
        refused("long AVIF", saved(Image.new("RGB", (4, 208)), "AVIF"), "extreme_aspect_ratio"),
        refused("54 megapixels", saved(large), "image_too_large"),
    ]


PICTURES = [*_formats(), *_orientations(), *_several(), *_colours(), *_profiles(), *_refused()]
"""All of them; their names differ."""
