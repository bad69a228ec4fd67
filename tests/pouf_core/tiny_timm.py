"""timm's image towers of open_clip's configurations, with less depth and width, under names of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from pouf_core.families.cosine.open_clip_loading import open_clip  # noqa: F401  # first: it makes torchvision importable

# isort: split
from timm.models import model_entrypoint, register_model, vision_transformer, vision_transformer_hybrid, vitamin
from timm.models.fastvit import RepConditionalPosEnc
from torch import nn

VIT = {"img_size": 32, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2}
ROTARY = {**VIT, "ref_feat_shape": (2, 2)}
VITAMIN_STEM = vitamin.VitCfg(
    embed_dim=(8, 16, 32),
    depths=(1, 1, 1),
    stem_width=8,
    conv_cfg=vitamin.VitConvCfg(norm_layer="layernorm2d", norm_eps=1e-6),
    head_type="1d",
)
SMALLER: dict[str, tuple[str, dict[str, Any]]] = {
    "tiny_convnext": ("convnext_base", {"depths": (1, 1, 1, 1), "dims": (8, 16, 16, 32)}),
    "tiny_swin": (
        "swin_base_patch4_window7_224",
        {"img_size": 32, "embed_dim": 16, "depths": (1, 1), "num_heads": (2, 2), "window_size": 4},
    ),
    "tiny_vit_gap": ("vit_medium_patch16_gap_256", VIT),
    "tiny_relpos": ("vit_relpos_medium_patch16_cls_224", {**VIT, "rel_pos_dim": 8}),
    "tiny_siglip": ("vit_base_patch16_siglip_224", VIT),
    "tiny_eva01": ("eva_giant_patch14_224", VIT),
    "tiny_eva02": ("eva02_base_patch16_clip_224", ROTARY),
    "tiny_eva02e": ("eva02_enormous_patch14_clip_224", VIT),
    "tiny_pe": ("vit_pe_core_tiny_patch16_384", {**ROTARY, "attn_pool_num_heads": 2}),
    "tiny_fastvit": (
        "fastvit_mci3",
        {
            "layers": (1, 1, 1, 1, 1),
            "embed_dims": (8, 8, 16, 32, 32),
            "mlp_ratios": (2, 2, 2, 2, 2),
            "pos_embs": (None, None, None, None, partial(RepConditionalPosEnc, spatial_shape=(7, 7))),
        },
    ),
    "tiny_vitamin": ("vitamin_small_224", {**VIT, "patch_size": 1, "embed_cfg": VITAMIN_STEM}),
}


def _entrypoint(name: str, settings: dict[str, Any]) -> Callable[..., nn.Module]:
    def build(pretrained: bool = False, **given: Any) -> nn.Module:
        network: nn.Module = model_entrypoint(name)(pretrained=pretrained, **{**settings, **given})
        return network

    return build


def _vit_mci(pretrained: bool = False, **given: Any) -> nn.Module:
    """As timm's `vit_base_mci_224`, whose stem has a fixed width of 768."""
    stem = vision_transformer_hybrid.ConvStem(
        channels=(8, 8, 32), stride=(4, 2, 2), kernel_size=(4, 2, 2), padding=0, act_layer=nn.GELU
    )
    embed = partial(vision_transformer_hybrid.HybridEmbed, backbone=stem, proj=False)
    settings = {key: given[key] for key in ("num_classes", "global_pool") if key in given}
    settings |= {**VIT, "patch_size": 1, "no_embed_class": True}
    network = vision_transformer.VisionTransformer(embed_layer=embed, **settings)
    network.default_cfg = {"pool_size": None}
    return network


@cache
def register() -> None:
    """Make the models known to `timm.create_model`."""
    builders = {name: _entrypoint(*original) for name, original in SMALLER.items()} | {"tiny_vit_mci": _vit_mci}
    for name, build in builders.items():
        build.__name__ = name
        build.__module__ = __name__
        register_model(build)
