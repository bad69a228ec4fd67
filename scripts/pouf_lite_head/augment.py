"""Make one 64x64 emoji look like many other kinds of picture, so that the head learns more than emoji."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps
from scipy import ndimage

SIZE = 224
NEAR_WHITE = 244
LOOKS = {"colour": 0.47, "plain": 0.15, "grey": 0.13, "ink": 0.13, "poster": 0.08, "silhouette": 0.04}
RESAMPLINGS = (
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.NEAREST,
)


def plain(picture: np.ndarray) -> np.ndarray:
    """The picture itself, [64, 64, 3] -> [224, 224, 3] uint8, resized as the model's own preprocessing does."""
    return np.asarray(Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def augmented(picture: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A randomly redrawn picture on a random background.

    Args:
        picture: [64, 64, 3] uint8, on white.
        other: [64, 64, 3] uint8, another picture that may be used, blurred, as the background.
        rng: source of every random choice.

    Returns:
        [224, 224, 3] uint8.
    """
    drawing, alpha = Image.fromarray(picture), Image.fromarray(foreground(picture))
    drawing = _restyle(drawing, alpha, rng)
    drawing, alpha = _resample(drawing, alpha, rng)
    if rng.random() < 0.25:
        drawing, alpha = _outline(drawing, alpha, rng)
    drawing, alpha = _turn(drawing, alpha, rng)
    canvas = _background(other, rng)
    corner = tuple(int(rng.integers(min(0, room), max(0, room) + 1)) for room in _room(drawing))
    canvas.paste(drawing, corner, alpha)
    return np.asarray(_finish(canvas, rng))


def foreground(picture: np.ndarray) -> np.ndarray:
    """255 where the picture is not the white that is joined to its border, [64, 64] uint8."""
    regions, _ = ndimage.label(picture.min(axis=2) >= NEAR_WHITE)
    border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    outside = np.isin(regions, np.unique(border[border > 0]))
    return np.where(outside, 0, 255).astype(np.uint8)


def _restyle(drawing: Image.Image, alpha: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Change the colours, sometimes to another technique: grey, ink drawing, poster, silhouette."""
    look = rng.choice(list(LOOKS), p=list(LOOKS.values()))
    if look == "grey":
        return ImageOps.autocontrast(drawing.convert("L"), cutoff=int(rng.integers(0, 5))).convert("RGB")
    if look == "ink":
        return _ink(drawing, rng)
    if look == "poster":
        return ImageOps.posterize(drawing, int(rng.integers(2, 4)))
    if look == "silhouette":
        return Image.new("RGB", drawing.size, _colour(rng, dark=True))
    return drawing if look == "plain" else _jitter(drawing, rng)


def _jitter(drawing: Image.Image, rng: np.random.Generator) -> Image.Image:
    hue, saturation, value = drawing.convert("HSV").split()
    turn = int(rng.normal(0, 12))
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    drawing = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
    for enhancer, spread in ((ImageEnhance.Color, 0.4), (ImageEnhance.Brightness, 0.2), (ImageEnhance.Contrast, 0.3)):
        drawing = enhancer(drawing).enhance(float(np.exp(rng.normal(0, spread))))
    return drawing


def _ink(drawing: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Dark lines where the picture changes, white elsewhere."""
    grey = drawing.convert("L")
    blurred = grey.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.8, 2.0))))
    lines = ImageOps.autocontrast(ImageOps.invert(ImageChops.difference(grey, blurred)), cutoff=2)
    return lines.convert("RGB")


def _resample(drawing: Image.Image, alpha: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Enlarge to between half and slightly more than all of the canvas, blurry or sharp."""
    side = SIZE * rng.uniform(0.45, 1.1)
    stretch = np.exp(rng.normal(0, 0.1))
    size = (max(8, int(side * stretch)), max(8, int(side / stretch)))
    drawing = drawing.resize(size, RESAMPLINGS[rng.choice(len(RESAMPLINGS), p=[0.4, 0.25, 0.15, 0.12, 0.08])])
    if rng.random() < 0.5:
        drawing = drawing.filter(ImageFilter.UnsharpMask(float(rng.uniform(1, 4)), int(rng.integers(80, 300)), 0))
    alpha = alpha.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1.5))
    alpha = alpha.point([min(255, max(0, (level - 128) * 3 + 100)) for level in range(256)])  # crisp, minus the fringe
    return drawing, alpha


def _outline(drawing: Image.Image, alpha: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Draw a contour line around the object."""
    width = int(rng.choice([3, 5, 7]))
    grown = alpha.filter(ImageFilter.MaxFilter(width))
    drawing = Image.composite(drawing, Image.new("RGB", drawing.size, _colour(rng, dark=True)), alpha)
    return drawing, grown


def _turn(drawing: Image.Image, alpha: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    if rng.random() < 0.5:
        drawing, alpha = ImageOps.mirror(drawing), ImageOps.mirror(alpha)
    if rng.random() < 0.5:
        angle = float(rng.normal(0, 12))
        drawing = drawing.rotate(angle, Image.Resampling.BILINEAR)
        alpha = alpha.rotate(angle, Image.Resampling.BILINEAR)
    return drawing, alpha


def _background(other: np.ndarray, rng: np.random.Generator) -> Image.Image:
    kind = rng.choice(["white", "colour", "gradient", "noise", "picture"], p=[0.5, 0.15, 0.15, 0.1, 0.1])
    if kind == "white":
        return Image.new("RGB", (SIZE, SIZE), "white")
    if kind == "colour":
        return Image.new("RGB", (SIZE, SIZE), _colour(rng))
    if kind == "picture":
        return Image.fromarray(other).filter(ImageFilter.GaussianBlur(3)).resize((SIZE, SIZE))
    cells = 2 if kind == "gradient" else int(rng.integers(4, 60))
    middle, spread = rng.uniform(60, 255, size=3), rng.uniform(10, 60)
    pixels = np.clip(rng.normal(middle, spread, size=(cells, cells, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def _finish(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Sometimes blur the whole picture or take its colour away."""
    if rng.random() < 0.15:
        canvas = canvas.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 2))))
    return canvas.convert("L").convert("RGB") if rng.random() < 0.05 else canvas


def _room(drawing: Image.Image) -> tuple[int, int]:
    return SIZE - drawing.width, SIZE - drawing.height


def _colour(rng: np.random.Generator, dark: bool = False) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 70 if dark else 256, size=3)
    return int(red), int(green), int(blue)
