"""Loading vision-language models of transformers: `hf-align:<name or directory>`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.findings import listed
from pouf_core.families.cosine.architectures import check_adaptable, examine_network
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.sentence_encoder import SentenceTokenizer
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.cosine.transformers_towers import KNOWN, AlignTextTower, TransformersTextTower, dual_encoder
from pouf_core.families.pretrained import (
    WEIGHTS,
    check_finite,
    check_vocabulary,
    checkpoint_name,
    not_adaptable,
    quiet_transformers,
    read_pretrained,
)

_ALIGN_LENGTH = 64  # tokens, as ALIGN was trained and its processor pads; its positions go on to 512
_UNUSED = "text_model.pooler."  # BERT's pooler in ALIGN, whose feature is read before it


class ProcessorTransform:
    """A picture as the checkpoint's own image processor prepares it.

    Args:
        processor: transformers' image processor, computing with PIL.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def save(self, directory: Path) -> None:
        """Write `preprocessor_config.json`."""
        self._processor.save_pretrained(directory)

    def __call__(self, image: Image.Image, **changes: Any) -> Tensor:
        """Pixels [3, H, W] of an RGB picture; `changes` are settings of the processor."""
        pixels: Tensor = self._processor(images=image, return_tensors="pt", **changes)["pixel_values"][0]
        return pixels

    def describe(self) -> dict[str, Any]:
        """Input size, mean and standard deviation, found by trying a black and a white picture.

        Processors name and combine their steps differently (ALIGN's scales to -1 … 1 and may divide by the standard
        deviation twice); whatever they do, each channel's result is linear in the picture.
        """
        black, white = (
            self(Image.new("RGB", (2, 2), colour), do_resize=False, do_center_crop=False)[:, 0, 0].double()
            for colour in ("black", "white")
        )
        height, width = self(Image.new("RGB", (96, 64))).shape[-2:]
        return {
            "size": height if height == width else (height, width),
            "mean": tuple((-black / (white - black)).tolist()),
            "std": tuple((1 / (white - black)).tolist()),
        }


def load_transformers_model(description: BaseModelDescription, device: torch.device) -> ClipLikeModel:
    """Load a vision-language model of transformers; every call gives a network of its own, in float32.

    Read from this machine alone, from safetensors only; code that a checkpoint brings along is never run.

    Args:
        description: of `hf-align:<name or directory>`.
        device: where to put it.

    Raises:
        InvalidInput: `base_model_not_adaptable` for another architecture (before weights are read), for a checkpoint
            that lacks weights, and for a tokenizer or a processor that does not fit the model.
        PoufError: `base_model_unavailable` when any of its files cannot be read.
    """
    spec = description.name
    name = checkpoint_name(spec.partition(":")[2])
    with quiet_transformers():
        config = read_pretrained(spec, AutoConfig, name, local_files_only=True)
        _check_architecture(spec, config)
        options = {"config": config, "local_files_only": True}
        network, report = read_pretrained(spec, AutoModel, name, **options, **WEIGHTS)
        tokenizer = read_pretrained(spec, AutoTokenizer, name, local_files_only=True)
        processor = read_pretrained(spec, AutoImageProcessor, name, local_files_only=True, backend="pil")
    missing = [key for key in report["missing_keys"] if not key.startswith(_UNUSED)]
    if missing:
        raise not_adaptable(spec, f"the checkpoint has no weights for {listed(sorted(missing))}, which would be random")
    towers = dual_encoder(network).eval()
    transform = ProcessorTransform(processor)
    towers.visual.preprocess_cfg = transform.describe()
    _check_tokenizer(spec, tokenizer, towers.text)
    check_finite(spec, towers)
    check_adaptable(spec, examine_network(towers))
    prompts = SentenceTokenizer(tokenizer, _longest(towers.text, tokenizer), lower_case=False)
    return ClipLikeModel(description, towers, transform, TextTokenizer(prompts), device)


def save_with_weights(base: ClipLikeModel, tensors: Mapping[str, Tensor], directory: Path) -> None:
    """Write a vision-language model of transformers as transformers does, with other weights.

    Args:
        base: as `load_transformers_model` gave it.
        tensors: all weights by their names in its network.
        directory: where to.

    Raises:
        PoufError: `base_model_unavailable` when the checkpoint cannot be read any more.
    """
    spec = base.description.name
    name = checkpoint_name(spec.partition(":")[2])
    with quiet_transformers():
        network, _ = read_pretrained(spec, AutoModel, name, local_files_only=True, **WEIGHTS)
        towers = dual_encoder(network)
        towers.load_state_dict(dict(tensors))
        with torch.no_grad():
            if hasattr(network, "temperature"):  # ALIGN's divides
                network.temperature.copy_((-towers.logit_scale).exp().reshape(network.temperature.shape))
            else:
                network.logit_scale.copy_(towers.logit_scale)
        network.save_pretrained(directory)
    base.tokenizer.save(directory)
    assert isinstance(base.transform, ProcessorTransform)
    base.transform.save(directory)


def _check_architecture(spec: str, config: Any) -> None:
    found = getattr(MODEL_MAPPING.get(type(config), None), "__name__", config.model_type)
    if found not in KNOWN:
        known = ", ".join(sorted(KNOWN))
        raise not_adaptable(spec, f"{found} is not known as a pair of an image and a text encoder; known are {known}")


def _check_tokenizer(spec: str, tokenizer: Any, tower: TransformersTextTower) -> None:
    check_vocabulary(spec, tokenizer)
    if tokenizer.pad_token_id is None or tokenizer.padding_side != "right":
        raise not_adaptable(spec, "its tokenizer does not pad on the right, as the model was trained")
    if tower.masks_padding and tokenizer.pad_token_id != tower.transformer.config.pad_token_id:
        raise not_adaptable(spec, "its tokenizer and its configuration name different padding tokens")


def _longest(tower: TransformersTextTower, tokenizer: Any) -> int:
    """Tokens of a prompt: what the tower was trained with, since SigLIP's attends to the padding up to there."""
    longest = _ALIGN_LENGTH if isinstance(tower, AlignTextTower) else tower.positions
    return min(longest, tower.positions, int(tokenizer.model_max_length))
