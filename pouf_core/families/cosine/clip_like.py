"""Base models of pictures: an image and a text encoder into one space, and a scale."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import PIL
import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from PIL import Image
from torch import Tensor, nn

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.data.images import decode_image, upright_srgb
from pouf_core.data.kept_pixels import KeptPixels
from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.cosine_model import CosineModel
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.families.cosine.preprocessing import in_numpy, normalized
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.cosine.trained_parameters import is_convolutional, projection_names
from pouf_core.families.cosine.transformers_towers import TransformersImageTower
from pouf_core.families.trained_tensors import weights_hash
from pouf_core.scoring import single_or_double, unit_length
from pouf_core.system.memory import releases, room_for_pictures
from pouf_core.system.transfer import stacked_on


class _ImageEncoder(nn.Module):
    """Gives `encode_image` the name `forward`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.network.encode_image(pixels)  # type: ignore[operator]
        return features


class _PooledImage(nn.Module):
    """Gives `pooled` the name `forward`."""

    def __init__(self, tower: TransformersImageTower) -> None:
        super().__init__()
        self.trunk = tower.trunk  # without the head, which may be trained

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.trunk(pixel_values=pixels).pooler_output
        return features


def _trunk(visual: Any) -> nn.Module:
    """An image tower up to its projection, of the same parameters."""
    if isinstance(visual, TransformersImageTower):
        return _PooledImage(visual)
    if not isinstance(visual, VisionTransformer):
        return cast(nn.Module, visual.trunk)
    trunk = copy.copy(visual)
    trunk._parameters = {**visual._parameters, "proj": None}
    trunk.output_tokens = False  # as CoCa has it
    return cast(nn.Module, trunk)


def _projected(visual: Any, trunk_features: Tensor) -> Tensor:
    features: Tensor
    if isinstance(visual, VisionTransformer):
        features = trunk_features if visual.proj is None else trunk_features @ visual.proj
    else:
        features = visual.head(trunk_features)
    return features


class ClipLikeModel(CosineModel[Image.Image, Tensor]):
    """A base model with an image and a text encoder.

    Args:
        description: name, modality and tune modes.
        network: an open_clip model or a `DualEncoder`, see `CosineEncoders`.
        transform: PIL RGB image to float tensor [3, H, W], the model's own inference preprocessing.
        tokenizer: the model's tokenizer.
        device: where the network lives.
        configuration: what open_clip builds the network of (`model_cfg`); None where it is not open_clip's.
    """

    item_tower = "visual"
    projection = "visual.head."

    def __init__(
        self,
        description: BaseModelDescription,
        network: nn.Module,
        transform: Callable[[Image.Image], Tensor],
        tokenizer: TextTokenizer,
        device: torch.device,
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(description, network, tokenizer, device)
        self.configuration = configuration
        self.transform = in_numpy(transform)
        self._kept = KeptPixels(room_for_pictures)
        releases(self._kept)
        self._memory_format = torch.contiguous_format
        visual: Any = network.visual
        if device.type != "cpu" and is_convolutional(visual):
            self._memory_format = torch.channels_last
            visual.to(memory_format=torch.channels_last)

    @property
    def image_size(self) -> int:
        """Side of the model's square input in pixels."""
        size = self._preprocessing["size"]
        return int(size if isinstance(size, int) else size[0])

    @property
    def image_mean(self) -> tuple[float, ...]:
        """Channel means of the model's normalisation."""
        return tuple(self._preprocessing["mean"])

    @property
    def image_std(self) -> tuple[float, ...]:
        """Channel standard deviations of the model's normalisation."""
        return tuple(self._preprocessing["std"])

    @property
    def _preprocessing(self) -> dict[str, Any]:
        configuration: dict[str, Any] = self.network.visual.preprocess_cfg  # type: ignore[union-attr, assignment]
        return configuration

    @property
    def reading_key(self) -> str:
        """The preprocessing, and Pillow's version."""
        return f"{json.dumps(self._preprocessing, sort_keys=True, default=str)} Pillow {PIL.__version__}"

    def _frozen_network(self) -> FrozenNetwork:
        visual: Any = self.network.visual
        if isinstance(visual, VisionTransformer):
            self.projection = "visual.proj"
        has_trunk = isinstance(visual, TimmModel | TransformersImageTower | VisionTransformer)
        image = [name for name in projection_names(self.network) if name.startswith("visual.")]
        self._has_separate_projection = has_trunk and all(name.startswith(self.projection) for name in image)
        part: nn.Module = _ImageEncoder(self.network)
        weighted = visual
        if self._has_separate_projection:
            part = weighted = _trunk(visual)
        size = self._preprocessing["size"]
        height, width = (size, size) if isinstance(size, int) else size
        return FrozenNetwork(
            part,
            lambda: torch.linspace(-1, 1, 6 * height * width).view(2, 3, height, width).contiguous(),
            (-1, 3, height, width),
            lambda: f"{weights_hash(weighted.state_dict())} {self.description.activation_used}",
            f"the image tower of {self.description.name}",
        )

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Unit-length float32 features [B, d] of preprocessed pictures [B, 3, H, W]."""
        features = self.frozen(self._inputs(pixels), self.precision)
        return self.project(single_or_double(features)) if self.has_separate_projection else unit_length(features)

    @property
    def has_separate_projection(self) -> bool:  # type: ignore[override]
        """Whether the image tower is a trunk followed by a projection head, so that each can run alone."""
        return self._has_separate_projection

    def encode_trunk(self, views: Sequence[Tensor] | Tensor) -> Tensor:
        """Image features [B, c] of pixels [B, 3, H, W] before the projection head."""
        pixels = views if isinstance(views, Tensor) else self._together(views)
        return single_or_double(self.frozen(self._inputs(pixels), self.precision))

    def project(self, trunk_features: Tensor) -> Tensor:
        """Unit-length features [B, d] from the trunk's [B, c]; only where `has_separate_projection`."""
        visual: Any = self.network.visual
        with self._precision():
            features = _projected(visual, trunk_features)
        return unit_length(features)

    def views(self, kind: str, seed: int) -> ImageViews:
        """Views of pictures as this model takes them; 8-bit where another device than the CPU can normalise them."""
        return ImageViews(
            kind,
            self.transform,
            self.image_size,
            self.image_mean,
            self.image_std,
            seed,
            kept=self._kept,
            compact=self.device.type != "cpu",
        )

    def encode_items(self, views: Sequence[Tensor]) -> Tensor:
        """Unit-length float32 features [B, d] of preprocessed pictures, [3, H, W] each, or of their 8-bit pixels."""
        return self.encode_images(self._together(views))

    def _together(self, views: Sequence[Tensor]) -> Tensor:
        """Pixels [B, 3, H, W] on the device."""
        if views[0].dtype != torch.uint8:
            return stacked_on(self.device, views)
        in_rows = [view.permute(1, 2, 0) for view in views]  # as they lie in memory
        return stacked_on(self.device, in_rows).permute(0, 3, 1, 2)

    def _inputs(self, pixels: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] as the tower takes them."""
        pixels = pixels.to(self.device, non_blocking=True)
        if pixels.dtype == torch.uint8:
            pixels = normalized(pixels, *self._normalization)
        return pixels.contiguous(memory_format=self._memory_format)

    @cached_property
    def _normalization(self) -> tuple[Tensor, Tensor]:
        mean, std = (torch.tensor(values, dtype=torch.float32) for values in (self.image_mean, self.image_std))
        return mean.to(self.device), std.to(self.device)

    def decode(self, source: Any) -> Image.Image:
        """The RGB picture of a path, a file's content or a PIL image.

        Raises:
            InvalidInput: `wrong_modality`, or it cannot be decoded.
        """
        if not isinstance(source, str | Path | bytes | Image.Image):
            message = f"{self.description.name} takes pictures, and this is a {type(source).__name__}."
            raise InvalidInput("wrong_modality", message)
        if isinstance(source, Image.Image):
            return upright_srgb(source)
        return decode_image(source if isinstance(source, bytes) else Path(source))

    def plain_view(self, item: Image.Image) -> Tensor:
        """Pixels [3, H, W] of a picture."""
        return self.transform(item)

    def _around(self, network: nn.Module) -> Self:
        return type(self)(self.description, network, self.transform, self.tokenizer, self.device, self.configuration)
