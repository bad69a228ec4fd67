"""What a section works on: a device, a random model, drawn pictures, and how much of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from pouf_core.adaptation.resolving import resolve
from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.method import MethodSpec, ResolvedMethod
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.open_clip_loading import open_clip
from pouf_core.families.cosine.prompts import Prompts, build_prompts
from pouf_core.families.loading import load_base_model

Form = Literal["full", "reduced"]
CLASS_NAMES = ("circle", "square", "line", "star", "cross")
TEMPLATE = "a photo of a {}."
TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
PREPROCESSING = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}


class CheckFailed(Exception):
    """A section found something that is not as it should be."""


def require(holds: bool, words: str) -> None:
    """Raise `CheckFailed` with these words unless it holds."""
    if not holds:
        raise CheckFailed(words)


@dataclass(frozen=True)
class Sizes:
    """How much of everything there is in a form.

    Attributes:
        model: configuration of the random CLIP; None for ViT-B-16's.
        pictures: how many are drawn, and
        picture: their width and height in pixels.
        trained: pictures that tune modes train on.
        steps: of training.
        batch: pictures in a step of training.
        repeats: how often a step is timed.
        matrix: side of the matrices whose product gives the peak.
    """

    model: dict[str, Any] | None
    pictures: int
    picture: tuple[int, int]
    trained: int
    steps: int
    batch: int
    repeats: int
    matrix: int


SIZES: dict[Form, Sizes] = {
    "full": Sizes(None, 2048, (500, 375), 256, 4, 96, 8, 8192),
    "reduced": Sizes(TINY, 24, (64, 48), 24, 2, 8, 2, 256),
}


@dataclass(frozen=True)
class Setting:
    """Where sections run and on what.

    Attributes:
        device: `cuda` or `cpu`.
        form: of the sizes.
        folder: holds the model and the pictures; sections may write beside them.
    """

    device: torch.device
    form: Form
    folder: Path

    @property
    def sizes(self) -> Sizes:
        """Those of the form."""
        return SIZES[self.form]

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"

    @property
    def model_name(self) -> str:
        """The random CLIP's."""
        return f"open_clip:{self.folder / 'model'}"

    @property
    def pictures(self) -> list[Path]:
        """All, in order."""
        return sorted((self.folder / "pictures").iterdir())

    def model(self) -> ClipLikeModel:
        """The random CLIP, loaded afresh."""
        model = load_base_model(self.model_name, self.device)
        assert isinstance(model, ClipLikeModel)
        return model

    def prompts(self, model: ClipLikeModel) -> Prompts:
        """Of the classes."""
        return build_prompts(parse_class_names(list(CLASS_NAMES)), [TEMPLATE], model.tokenizer)

    def method(self, tune: str, micro_batch_size: int | None = None, **settings: object) -> ResolvedMethod:
        """A resolved method over the pictures that are trained on."""
        spec = MethodSpec.model_validate({"tune": tune, "class_prior": "uniform", **settings})
        return resolve(
            spec,
            torch.full((len(CLASS_NAMES),), 1 / len(CLASS_NAMES)),
            item_count=self.sizes.trained,
            kind="image",
            context_scale=0.05,
            device=self.device,
            threads=torch.get_num_threads(),
            micro_batch_size=micro_batch_size,
        )


def prepare(setting: Setting) -> None:
    """Draw the pictures and save the model."""
    pictures = setting.folder / "pictures"
    pictures.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(setting.sizes.pictures):
        draw(random, setting.sizes.picture).save(pictures / f"{number:05d}.jpg", quality=90)
    save_model(setting.folder / "model", setting.sizes.model or open_clip.get_model_config("ViT-B-16"))


def draw(random: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Coloured clouds, which no two pictures share."""
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def save_model(directory: Path, configuration: dict[str, Any]) -> None:
    """A CLIP with seeded random weights, as open_clip saves models."""
    directory.mkdir(parents=True)
    document = {"model_cfg": configuration, "preprocess_cfg": PREPROCESSING}
    (directory / "open_clip_config.json").write_text(json.dumps(document))
    torch.manual_seed(0)
    tensors = open_clip.CLIP(**configuration).state_dict()
    save_file({name: value.contiguous() for name, value in tensors.items()}, directory / "open_clip_model.safetensors")


def finite(values: Sequence[float]) -> bool:
    """Whether all are finite numbers."""
    return bool(np.isfinite(values).all())
