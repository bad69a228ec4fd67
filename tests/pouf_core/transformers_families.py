"""A small random instance of every vision-language family of transformers."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from pouf_core.families.cosine.open_clip_loading import open_clip as open_clip  # first: it makes torchvision importable

from transformers import AutoConfig, AutoModel  # isort: skip
from tests.pouf_core.architecture_case import Family
from tests.pouf_core.tiny_tokenizers import VOCABULARY_SIZE, save_bert, save_unigram

ALIGN_VISION = {
    "image_size": 32,
    "in_channels": [32, 8],  # the stem has 32
    "out_channels": [8, 16],
    "kernel_sizes": [3, 3],
    "strides": [1, 2],
    "num_block_repeats": [1, 1],
    "expand_ratios": [1, 2],
    "depthwise_padding": [],
    "width_coefficient": 1.0,
    "depth_coefficient": 1.0,
    "hidden_dim": 16,
}
SMALL_TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL_TEXT = {**SMALL_TOWER, "vocab_size": VOCABULARY_SIZE, "max_position_embeddings": 32}
SMALL_VIT = {**SMALL_TOWER, "image_size": 32, "patch_size": 16}
PROCESSOR = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3], "resample": 3}
SQUARE = {"height": 32, "width": 32}
TRANSFORMERS = {
    "hf-align": Family(
        {
            "model_type": "align",
            "projection_dim": 16,
            "temperature_init_value": 0.05,
            "text_config": {**SMALL_TEXT, "vocab_size": 30522, "max_position_embeddings": 80, "pad_token_id": 0},
            "vision_config": ALIGN_VISION,
        },
        head={"text.proj."},
        last={"visual.trunk.encoder.blocks.1.", "text.transformer.encoder.layer.1."},
        tokenizer=save_bert,
        processor={
            **PROCESSOR,
            "image_processor_type": "EfficientNetImageProcessor",
            "size": {"height": 40, "width": 40},
            "do_center_crop": True,
            "crop_size": SQUARE,
            "rescale_factor": 2 / 255,
            "rescale_offset": True,
            "include_top": True,
        },
    ),
    "hf-siglip": Family(
        {"model_type": "siglip", "text_config": {**SMALL_TEXT, "projection_size": 32}, "vision_config": SMALL_VIT},
        head={"visual.trunk.head.", "text.transformer.head."},
        last={"visual.trunk.encoder.layers.1.", "text.transformer.encoder.layers.1."},
        tokenizer=partial(save_unigram, prefix=[], pad="</s>", eos="</s>"),
        cuts=False,
        processor={**PROCESSOR, "image_processor_type": "SiglipImageProcessor", "size": SQUARE},
    ),
    "hf-clip": Family(
        {
            "model_type": "clip",
            "projection_dim": 24,
            "text_config": {**SMALL_TEXT, "eos_token_id": 1, "bos_token_id": 0},
            "vision_config": SMALL_VIT,
        },
        head={"visual.head.", "text.proj."},
        last={"visual.trunk.encoder.layers.1.", "text.transformer.encoder.layers.1."},
        tokenizer=partial(save_unigram, prefix=["<s>"], pad="<pad>", eos="<pad>"),
        processor={
            **PROCESSOR,
            "image_processor_type": "CLIPImageProcessor",
            "size": {"shortest_edge": 32},
            "crop_size": SQUARE,
        },
    ),
}


def build_transformers_model(settings: dict[str, Any]) -> torch.nn.Module:
    """With random weights that leave neither the features of pictures nor those of texts alike."""
    torch.manual_seed(0)
    network: torch.nn.Module = AutoModel.from_config(AutoConfig.for_model(**settings))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
            elif name not in ("logit_scale", "temperature"):
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network
