"""From the many ways in which pictures hold colours to 8-bit sRGB: the one rule of training and prediction."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, cast

from PIL import Image, ImageCms

_PREMULTIPLIED = {"RGBa": "RGBA", "La": "LA"}
#: What white is in a wide grey picture: the least of these that holds its largest value.
_WHITES = (1.0, 255.0, 65535.0)
#: The colour space of a profile that fits a picture in a mode, and the mode that comes out.
_SPACES = {"RGB": ("RGB", "RGB"), "RGBA": ("RGB", "RGBA"), "L": ("GRAY", "RGB"), "CMYK": ("CMYK", "RGB")}
_KEPT_TRANSFORMS = 16


def to_srgb(image: Image.Image) -> Image.Image:
    """A loaded picture as 8-bit sRGB, transparency composited on white.

    Grey, palette, CMYK and 16-bit pictures are converted. A colour profile that cannot be used counts as sRGB.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_eight_bits(image)
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = _profiled(image.convert("RGBA"), profile)
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if image.mode not in _SPACES:
        image = image.convert("RGB")
    return _profiled(image, profile).convert("RGB")


def _profiled(image: Image.Image, profile: object) -> Image.Image:
    """The picture in sRGB, as its profile says; unchanged where that is none, is damaged, or is of other colours."""
    if not isinstance(profile, bytes) or not profile or 0 in image.size:
        return image
    transform = _transform(profile, image.mode)
    return image if transform is None else cast(Image.Image, transform.apply(image))


@lru_cache(maxsize=_KEPT_TRANSFORMS)
def _transform(profile: bytes, mode: str) -> Any:
    """What takes a picture's colours to sRGB; None where nothing does, or they are there."""
    space, result = _SPACES[mode]
    try:
        read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if read.profile.xcolor_space.strip() != space or _is_srgb(read):
            return None
        return ImageCms.buildTransform(read, ImageCms.createProfile("sRGB"), mode, result)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return None


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return (profile.profile.profile_description or "").startswith("sRGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit and wider grey to 0-255; Pillow's own conversion would clip at 255.

    16-bit grey is divided by 257, whatever it holds. Where the format does not say what white is (32-bit integers and
    floats), it is 1 (floats only), 255, 65535 or the largest value; black is 0 or the least value below.
    """
    if image.mode.startswith("I;16"):
        return _scaled(image.convert("I"), 0.0, 65535.0)
    low, high = cast(tuple[float, float], image.getextrema())  # of one band
    whites = _WHITES if image.mode == "F" else _WHITES[1:]
    return _scaled(image, min(low, 0.0), next((white for white in whites if high <= white), high))


def _scaled(image: Image.Image, black: float, white: float) -> Image.Image:
    factor = 255.0 / ((white - black) or 1.0)
    offset = 0.5 - black * factor  # conversion to 8 bits cuts off what follows the point
    return image.point(lambda value: value * factor + offset).convert("L")
