"""How items are prepared for an exported encoder: as JSON for programs and in words for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torchvision import transforms

from pouf_core.errors import PoufError
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.sentence_encoder import SentenceModel
from pouf_core.families.cosine.transformers_loading import ProcessorTransform

TOKENIZER = "tokenizer.json"
_UPRIGHT = (
    "Turn the picture upright by its EXIF orientation, put what is transparent on white, convert it to sRGB by its "
    "colour profile, and make it RGB of 8 bits (of 16 bits a pixel, divide by 257)."
)
_IN_WORDS = {
    "shortest": "Scale it ({interpolation}) so that its shorter side has {height} pixels, and cut {width} x {height} "
    "pixels out of its middle.",
    "squash": "Scale it ({interpolation}) to {width} x {height} pixels, whatever its shape.",
    "longest": "Scale it ({interpolation}) so that its longer side has {height} pixels, and fill it up evenly to "
    "{width} x {height} pixels with grey level {fill}.",
}


def of_pictures(base: ClipLikeModel, directory: Path) -> dict[str, Any]:
    """Size, way of resizing, mean and standard deviation of the pictures that a network takes, and the same in words.

    Of a model of transformers it writes `preprocessor_config.json`, which says it.

    Raises:
        PoufError: `export_preprocessing_unknown`.
    """
    if isinstance(base.transform, ProcessorTransform):
        base.transform.save(directory)
        return {
            "kind": "transformers",
            "in_words": [_UPRIGHT, "Let transformers' AutoImageProcessor do the rest, by preprocessor_config.json."],
        }
    visual: Any = base.network.visual
    settings: dict[str, Any] = visual.preprocess_cfg
    size = settings["size"]
    height, width = (size, size) if isinstance(size, int) else size
    mode = settings.get("resize_mode") or "shortest"
    if mode not in _IN_WORDS or not _is_by_size_alone(base):
        message = f"The preprocessing of {base.description.name} cannot be told in a few lines."
        raise PoufError("export_preprocessing_unknown", message)
    told = {
        "kind": "pillow",
        "height": int(height),
        "width": int(width),
        "resize_mode": mode,
        "interpolation": settings.get("interpolation") or "bicubic",
        "fill": int(settings.get("fill_color") or 0),
        "mean": [float(value) for value in base.image_mean],
        "std": [float(value) for value in base.image_std],
    }
    steps = [_UPRIGHT, _IN_WORDS[mode].format(**told), "Divide by 255, subtract `mean`, divide by `std`."]
    return {**told, "in_words": [*steps, "Order the numbers as [3, height, width]."]}


def _is_by_size_alone(base: ClipLikeModel) -> bool:
    """Whether the transform is one that open_clip makes of the settings."""
    return isinstance(base.transform, transforms.Compose)


def of_texts(base: SentenceModel, directory: Path) -> dict[str, Any]:
    """How a text becomes token ids; writes `tokenizer.json`, which the package `tokenizers` reads.

    Raises:
        PoufError: `export_preprocessing_unknown` of a tokenizer that has no such file.
    """
    tokenizer = base.sentence_tokenizer
    save_tokenizer(tokenizer.tokenizer, base.description.name, directory)
    pad = base.tokenizer.pad_token_id
    told = {"longest": tokenizer.longest, "lower_case": tokenizer.lower_case, "pad_token_id": pad}
    lower = " and make it lower case" if tokenizer.lower_case else ""
    steps = [
        f"Take the space around the text away{lower}.",
        f"Split it with tokenizer.json, special tokens included, and cut it to {tokenizer.longest} tokens.",
        f"Fill shorter texts of a batch up with token {pad} at their end; the network pays no attention to it.",
    ]
    return {"kind": "tokens", **told, "in_words": steps}


def save_tokenizer(tokenizer: Any, base_model: str, directory: Path) -> None:
    """Write `tokenizer.json`.

    Args:
        tokenizer: of transformers.
        base_model: whose it is, for the error.
        directory: where to.

    Raises:
        PoufError: `export_preprocessing_unknown` of a tokenizer that has no such file.
    """
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        message = f"The tokenizer of {base_model} has no form that the package `tokenizers` reads."
        raise PoufError("export_preprocessing_unknown", message)
    fast.save(str(directory / TOKENIZER))
