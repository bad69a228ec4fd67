"""The serving engine over a predictor that needs no base model: it classifies by the mean colour."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from app.serving.engine import Engine
from pouf_core.errors import InvalidInput
from pouf_core.families.interface import SharedEncoder
from pouf_core.predictor import Prediction

COLOURS = ["red", "green", "blue"]


class ColourPredictor:
    """Classifies by the mean colour; `zero_shot` sees colours the wrong way round."""

    def __init__(self, key: str) -> None:
        self.class_names = COLOURS
        self.modality = "image"
        self.nbytes = 100
        self.base_model = None
        self._key = key

    def encoder(self, variant: str) -> SharedEncoder:
        return SharedEncoder("colour", self._encode)

    def _encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        if any(image.size == (13, 13) for image in images):
            raise RuntimeError("thirteen")
        return torch.tensor([image.resize((1, 1)).getpixel((0, 0)) for image in images]) / 255

    def threshold_of(self, threshold: float | str | None, variant: str) -> float:
        if threshold == "auto":
            raise InvalidInput("threshold_not_proposed", "Give a number.", field="/threshold")
        return 0.0 if threshold is None else float(threshold)

    def classify(
        self, features: torch.Tensor, top_k: int = 1, variant: str = "adapted", threshold: float = 0.0
    ) -> list[Prediction]:
        logits = features * 5 if variant == "adapted" else features.flip(1) * 5
        scores, indices = logits.softmax(dim=1).topk(min(top_k, len(COLOURS)))
        tops = [
            [(COLOURS[i], float(s)) for s, i in zip(row_scores, row_indices, strict=True)]
            for row_scores, row_indices in zip(scores.tolist(), indices.tolist(), strict=True)
        ]
        return [
            Prediction(None, None, top[0][1], top, 0.9)
            if top[0][1] < threshold
            else Prediction(top[0][0], COLOURS.index(top[0][0]), top[0][1], top, 0.5)
            for top in tops
        ]


class ColourEngine(Engine):
    """The engine with models that need no base model; everything else is the real one."""

    loads = 0

    def _load(self, storage_key: str) -> Any:
        self.loads += 1
        self._storage.local_directory(storage_key)
        return ColourPredictor(storage_key)

    def _warm_up(self) -> None:
        return
