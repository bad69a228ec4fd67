"""A small random instance of every architecture family of open_clip and transformers, saved as these save models."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from pouf_core.families.cosine.open_clip_loading import open_clip  # first: it makes torchvision importable
from tests.pouf_core import tiny_timm
from tests.pouf_core.architecture_case import Family
from tests.pouf_core.tiny_tokenizers import VOCABULARY_SIZE, save_bert, save_byte_level, save_unigram
from tests.pouf_core.transformers_families import TRANSFORMERS, build_transformers_model

CLIP_VOCABULARY = 49408
PREPROCESSING = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "shortest"}
VIT = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16}
TEXT = {"context_length": 32, "vocab_size": CLIP_VOCABULARY, "width": 32, "heads": 2, "layers": 2}
OWN_TOKENIZER = {"hf_tokenizer_name": "its own"}  # open_clip takes the directory's own, whatever the name
HF_TEXT = {**OWN_TOKENIZER, "context_length": 32}
TRANSFORMER_TEXT = {"text.transformer.resblocks.1."}
CLIP_TEXT = {"transformer.resblocks.1."}


def configuration(vision: dict[str, Any], text: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    return {"embed_dim": 32, "vision_cfg": vision, "text_cfg": {**TEXT, **(text or {})}, **settings}


def timm_vision(model: str, pool: str, projection: str | None) -> dict[str, Any]:
    return {"timm_model_name": model, "timm_pool": pool, "timm_proj": projection, "image_size": 32}


def timm_family(
    model: str, pool: str, projection: str | None, head: str, last: str, *, custom: bool = True, **text: Any
) -> Family:
    """A timm image tower beside open_clip's text transformer."""
    prefix = "text." if custom else ""
    return Family(
        configuration(timm_vision(model, pool, projection), text, **({"custom_text": True} if custom else {})),
        head={head, f"{prefix}text_projection"},
        last={last, f"{prefix}transformer.resblocks.1."},
    )


VIT_LAST = "visual.transformer.resblocks.1."
SIGLIP_TEXT = {
    **OWN_TOKENIZER,
    "vocab_size": VOCABULARY_SIZE,
    "no_causal_mask": True,
    "norm_kwargs": {"eps": 1e-6},
    "pool_type": "last",
    "proj_bias": True,
    "tokenizer_kwargs": {"clean": "canonicalize"},
}
T5_TOKENIZER = partial(save_unigram, prefix=[], pad="<pad>", eos="</s>")
ROBERTA_TOWER = {
    "model_type": "roberta",
    "vocab_size": VOCABULARY_SIZE,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
MT5_TOWER = {
    "model_type": "mt5",
    "vocab_size": VOCABULARY_SIZE,
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 2,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
M2M_TOWER = {
    "model_type": "m2m_100",
    "vocab_size": VOCABULARY_SIZE,
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
BERT_TOWER = {
    **ROBERTA_TOWER,
    "model_type": "bert",
    "vocab_size": 30522,
    "pad_token_id": 0,
}


def hf_family(
    tower: dict[str, Any], tokenizer: Callable[[Path], object], last: str, *, pooler: str, projection: str
) -> Family:
    text = {"hf_pooler_type": pooler, "hf_proj_type": projection, **HF_TEXT}
    return Family(
        {"embed_dim": 32, "vision_cfg": VIT, "text_cfg": text},
        head={"visual.proj", "text.proj."},
        last={VIT_LAST, last},
        tokenizer=tokenizer,
        hugging_face=tower,
    )


def coca(family: Family, context_length: int, vocabulary: int = CLIP_VOCABULARY) -> Family:
    decoder = {"context_length": context_length, "vocab_size": vocabulary, "width": 32, "heads": 2, "layers": 1}
    settings = {**family.configuration, "custom_text": True, "multimodal_cfg": decoder}
    settings["text_cfg"] = {**settings["text_cfg"], "output_tokens": True}
    settings["vision_cfg"] = {**settings["vision_cfg"], "output_tokens": True}
    return replace(family, configuration=settings, unused={*family.unused, "text_decoder."})


ROBERTA = hf_family(
    ROBERTA_TOWER, save_byte_level, "text.transformer.encoder.layer.1.", pooler="mean_pooler", projection="mlp"
)
M2M = hf_family(
    M2M_TOWER,
    partial(save_unigram, prefix=["eng_Latn"], pad="<pad>", eos="</s>"),
    "text.transformer.layers.1.",
    pooler="cls_pooler",
    projection="linear",
)
COCA_TEXT = Family(
    configuration(VIT, {"context_length": 31, "embed_cls": True}),
    head={"visual.proj", "text.text_projection"},
    last={VIT_LAST, *TRANSFORMER_TEXT},
)
SIGLIP = Family(
    configuration(
        timm_vision("tiny_siglip", "map", "none"),
        SIGLIP_TEXT,
        custom_text=True,
        init_logit_bias=-10,
    ),
    head={"visual.trunk.attn_pool.", "text.text_projection."},
    last={"visual.trunk.blocks.1.", *TRANSFORMER_TEXT},
    tokenizer=partial(save_unigram, prefix=[], pad="</s>", eos="</s>"),
    cuts=False,
)
FAMILIES: dict[str, Family] = {
    "vit": Family(configuration(VIT), {"visual.proj", "text_projection"}, {VIT_LAST, *CLIP_TEXT}),
    "vit-layerscale-quickgelu": Family(
        configuration({**VIT, "ls_init_value": 1e-4}, {"ls_init_value": 1e-4}, quick_gelu=True),
        {"visual.proj", "text_projection"},
        {VIT_LAST, *CLIP_TEXT},
    ),
    "clipa": Family(
        configuration(
            {**VIT, "no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},
            {
                **OWN_TOKENIZER,
                "vocab_size": 32000,
                "no_causal_mask": True,
                "pool_type": "last",
                "tokenizer_kwargs": {"strip_sep_token": True},
            },
        ),
        {"visual.proj", "text_projection"},
        {VIT_LAST, *CLIP_TEXT},
        tokenizer=save_bert,
        cuts=False,
    ),
    "worldwide": Family(
        configuration(VIT, {**OWN_TOKENIZER, "vocab_size": VOCABULARY_SIZE, "eos_id": 2, "pool_type": "eos"}),
        {"visual.proj", "text_projection"},
        {VIT_LAST, *CLIP_TEXT},
        tokenizer=partial(save_unigram, prefix=["<s>"], pad="<pad>", eos="</s>"),
    ),
    "resnet": Family(
        configuration({"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}),
        {"visual.attnpool.", "text_projection"},
        {"visual.layer4.", *CLIP_TEXT},
    ),
    "convnext": timm_family("tiny_convnext", "", "linear", "visual.head.", "visual.trunk.stages.3.", custom=False),
    "convnext-mlp": timm_family("tiny_convnext", "", "mlp", "visual.head.", "visual.trunk.stages.3.", custom=False),
    "swin": timm_family("tiny_swin", "", "linear", "visual.head.", "visual.trunk.layers.1.", custom=False),
    "vit-timm": timm_family("tiny_vit_gap", "", "linear", "visual.head.", "visual.trunk.blocks.1.", custom=False),
    "vit-relpos": timm_family("tiny_relpos", "", "linear", "visual.head.", "visual.trunk.blocks.1.", custom=False),
    "vitamin": timm_family("tiny_vitamin", "", "linear", "visual.head.", "visual.trunk.blocks.1."),
    "eva01": timm_family("tiny_eva01", "token", None, "visual.trunk.head.", "visual.trunk.blocks.1."),
    "eva02": timm_family("tiny_eva02", "token", None, "visual.trunk.head.", "visual.trunk.blocks.1."),
    "eva02-postnorm": timm_family("tiny_eva02e", "token", None, "visual.trunk.head.", "visual.trunk.blocks.1."),
    "pe-core": timm_family("tiny_pe", "map", None, "visual.trunk.head.", "visual.trunk.blocks.1."),
    "mobileclip-s": replace(
        timm_family(
            "tiny_fastvit", "avg", None, "visual.trunk.head.fc.", "visual.trunk.stages.4.", no_causal_mask=True
        ),
        cuts=False,
    ),
    "mobileclip-b": timm_family("tiny_vit_mci", "token", None, "visual.trunk.head.", "visual.trunk.blocks.1."),
    "siglip": SIGLIP,
    "siglip-without-projection": replace(
        SIGLIP,
        configuration={
            **SIGLIP.configuration,
            "text_cfg": {**SIGLIP.configuration["text_cfg"], "proj_bias": False, "proj_type": "none"},
        },
        head={"visual.trunk.attn_pool."},
    ),
    "coca": coca(
        replace(
            COCA_TEXT,
            configuration={
                **COCA_TEXT.configuration,
                "vision_cfg": {**VIT, "attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4},
            },
        ),
        31,
    ),
    "coca-base": coca(COCA_TEXT, 31),
    "coca-roberta": coca(ROBERTA, 31, VOCABULARY_SIZE),
    "roberta": ROBERTA,
    "xlm-roberta": hf_family(
        {**ROBERTA_TOWER, "model_type": "xlm-roberta"},
        partial(save_unigram, prefix=["<s>"], pad="<pad>", eos="</s>"),
        "text.transformer.encoder.layer.1.",
        pooler="mean_pooler",
        projection="mlp",
    ),
    "bert": hf_family(
        BERT_TOWER, save_bert, "text.transformer.encoder.layer.1.", pooler="cls_pooler", projection="linear"
    ),
    "mt5": hf_family(MT5_TOWER, T5_TOKENIZER, "text.transformer.block.1.", pooler="mean_pooler", projection="mlp"),
    "nllb": M2M,
    "nllb-siglip": replace(
        M2M,
        configuration={
            **M2M.configuration,
            "vision_cfg": timm_vision("tiny_siglip", "map", "none"),
            "custom_text": True,
            "init_logit_bias": -10,
        },
        head={"visual.trunk.attn_pool.", "text.proj."},
        last={"visual.trunk.blocks.1.", "text.transformer.layers.1."},
    ),
    **TRANSFORMERS,
}


def save_family(family: Family, directory: Path) -> Path:
    """Random weights, the configuration and whatever the text side needs, in one directory."""
    tiny_timm.register()
    directory.mkdir(parents=True)
    settings = json.loads(json.dumps(family.configuration))
    if family.tokenizer:
        family.tokenizer(directory)
    if family.processor:
        (directory / "preprocessor_config.json").write_text(json.dumps(family.processor))
        build_transformers_model(settings).save_pretrained(directory)
        return directory
    if family.hugging_face:
        (directory / "config.json").write_text(json.dumps(family.hugging_face))
        settings["text_cfg"]["hf_model_name"] = str(directory)
    (directory / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": settings, "preprocess_cfg": PREPROCESSING})
    )
    torch.manual_seed(0)
    network = open_clip.create_model(f"local-dir:{directory}", load_weights=False, pretrained_text=False)
    _enliven(network)
    tensors = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, directory / "open_clip_model.safetensors")
    return directory


def _enliven(network: torch.nn.Module) -> None:
    """Give parameters that start at zero small values, so that everything behind them has a gradient."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.abs().max() > 0:
                parameter.normal_(std=0.02)
