"""An architecture family: what is built of it, and what each tune mode trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Family:
    """What is built, and what of it each tune mode trains.

    Attributes:
        configuration: open_clip's model configuration, or that of a model of transformers.
        head: names of the projections, or prefixes that end in a dot.
        last: the same for the last block of each tower.
        unused: parameters without influence on the features.
        tokenizer: writes the tokenizer's files; None for CLIP's own.
        hugging_face: configuration of a Hugging Face text tower.
        cuts: whether prompts are cut to their live positions.
        processor: settings of transformers' image processor; None for a model of open_clip.
    """

    configuration: dict[str, Any]
    head: set[str]
    last: set[str]
    unused: set[str] = field(default_factory=set)
    tokenizer: Callable[[Path], object] | None = None
    hugging_face: dict[str, Any] | None = None
    cuts: bool = True
    processor: dict[str, Any] | None = None

    def spec(self, directory: Path) -> str:
        """The base model's name."""
        return f"{'hf-align' if self.processor else 'open_clip'}:{directory}"
