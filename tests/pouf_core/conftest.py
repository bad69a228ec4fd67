"""Small real models and pictures for the tests of the method."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from pouf_core.families.cosine.clip_like import ClipLikeModel  # first: it makes torchvision importable
from pouf_core.families.cosine.open_clip_loading import open_clip
from pouf_core.families.loading import load_base_model

TINY_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
PREPROCESSING = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "shortest"}
CLASS_NAMES = ["circle", "square", "line"]


def save_tiny_clip(directory: Path) -> Path:
    """A CLIP with random weights, saved as open_clip saves models."""
    directory.mkdir(parents=True)
    (directory / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TINY_CLIP, "preprocess_cfg": PREPROCESSING})
    )
    torch.manual_seed(0)
    network = open_clip.CLIP(**TINY_CLIP)
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()},
        directory / "open_clip_model.safetensors",
    )
    return directory


@pytest.fixture(scope="session")
def tiny_clip_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a CLIP with random weights and 32-pixel pictures."""
    return save_tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture
def tiny_clip(tiny_clip_directory: Path) -> ClipLikeModel:
    """That CLIP, loaded afresh for every test."""
    return load_base_model(f"open_clip:{tiny_clip_directory}")


@pytest.fixture(scope="session")
def pouf_lite() -> ClipLikeModel:
    """The embedded base model; tests must not change it."""
    return load_base_model("pouf-lite")


def draw_shape(shape: str, index: int, size: int = 48) -> Image.Image:
    """A shape at a place and in colours that depend on the index."""
    colour = tuple((37 * index * factor) % 200 for factor in (1, 3, 7))
    image = Image.new("RGB", (size, size), "white")
    pen = ImageDraw.Draw(image)
    left, top = 4 + index % 9, 4 + index % 7
    box = (left, top, left + 24 + index % 5, top + 24 + index % 5)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    else:
        pen.line(box, fill=colour, width=3)
    return image


@pytest.fixture(scope="session")
def picture_paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """24 pictures of three shapes as PNG files."""
    directory = tmp_path_factory.mktemp("pictures")
    paths = []
    for index in range(24):
        path = directory / f"{index:02d}.png"
        draw_shape(CLASS_NAMES[index % 3], index).save(path)
        paths.append(path)
    return paths
