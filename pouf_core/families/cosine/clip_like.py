"""Base models of pictures: an image and a text encoder into one space, and a scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from open_clip.timm_model import TimmModel
from PIL import Image
from torch import Tensor, nn

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.data.images import decode_image
from pouf_core.errors import InvalidInput
from pouf_core.families.cosine.cosine_model import CosineModel
from pouf_core.families.cosine.image_views import ImageViews
from pouf_core.families.cosine.tokenizer import TextTokenizer
from pouf_core.families.cosine.trained_parameters import projection_names
from pouf_core.families.cosine.transformers_towers import TransformersImageTower
from pouf_core.scoring import single_or_double, unit_length


class ClipLikeModel(CosineModel[Image.Image, Tensor]):
    """A base model with an image and a text encoder.

    Args:
        description: name, modality and tune modes.
        network: an open_clip model or a `DualEncoder`, see `CosineModel`.
        transform: PIL RGB image to float tensor [3, H, W], the model's own inference preprocessing.
        tokenizer: the model's tokenizer.
        device: where the network lives.
    """

    item_tower = "visual"

    def __init__(
        self,
        description: BaseModelDescription,
        network: nn.Module,
        transform: Callable[[Image.Image], Tensor],
        tokenizer: TextTokenizer,
        device: torch.device,
    ) -> None:
        super().__init__(description, network, tokenizer, device)
        self.transform = transform

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

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Unit-length float32 features [B, d] of preprocessed pictures [B, 3, H, W]."""
        with self._precision():
            features = self.network.encode_image(pixels.to(self.device))  # type: ignore[operator]
        return unit_length(features)

    @property
    def has_separate_projection(self) -> bool:  # type: ignore[override]
        """Whether the image tower is a trunk followed by a projection head, so that each can run alone."""
        image = [name for name in projection_names(self.network) if name.startswith("visual.")]
        has_trunk = isinstance(self.network.visual, TimmModel | TransformersImageTower)
        return has_trunk and all(name.startswith("visual.head.") for name in image)

    def encode_trunk(self, views: Sequence[Tensor] | Tensor) -> Tensor:
        """Image features [B, c] of pixels [B, 3, H, W] before the projection head."""
        pixels = views if isinstance(views, Tensor) else torch.stack(list(views))
        visual: Any = self.network.visual
        run = visual.pooled if isinstance(visual, TransformersImageTower) else visual.trunk
        with self._precision():
            features: Tensor = run(pixels.to(self.device))
        return single_or_double(features)

    def project(self, trunk_features: Tensor) -> Tensor:
        """Unit-length features [B, d] from the trunk's [B, c]; only where `has_separate_projection`."""
        with self._precision():
            features = self.network.visual.head(trunk_features)  # type: ignore[operator, union-attr]
        return unit_length(features)

    def views(self, kind: str, seed: int) -> ImageViews:
        """Views of pictures as this model takes them."""
        return ImageViews(kind, self.transform, self.image_size, self.image_mean, self.image_std, seed)

    def encode_items(self, views: Sequence[Tensor]) -> Tensor:
        """Unit-length float32 features [B, d] of preprocessed pictures, [3, H, W] each."""
        return self.encode_images(torch.stack(list(views)))

    def decode(self, source: Any) -> Image.Image:
        """The RGB picture of a path, a file's content or a PIL image.

        Raises:
            InvalidInput: `wrong_modality`, or it cannot be decoded.
        """
        if not isinstance(source, str | Path | bytes | Image.Image):
            message = f"{self.description.name} takes pictures, and this is a {type(source).__name__}."
            raise InvalidInput("wrong_modality", message)
        if isinstance(source, Image.Image):
            return source.convert("RGB")
        return decode_image(source if isinstance(source, bytes) else Path(source))

    def plain_view(self, item: Image.Image) -> Tensor:
        """Pixels [3, H, W] of a picture."""
        return self.transform(item)

    def with_network(self, network: nn.Module) -> Self:
        """The same model around another network of the same architecture."""
        model = type(self)(self.description, network, self.transform, self.tokenizer, self.device)
        model.precision = self.precision
        return model
