"""Zero-shot tasks made of emoji that the head has not seen."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from open_clip.model import CustomTextCLIP
from torch import nn
from torch.nn import functional

from pouf_lite_head.captions import embed_texts
from pouf_lite_head.pictures import Emoji

TEMPLATE = "a photo of a {}."
HELD_OUT_STYLES = ("fluent-emoji", "fxemoji")  # the one most like photographs, and the oldest one

# Task -> class name -> beginnings of the subgroups that it stands for.
TASKS: dict[str, dict[str, list[str]]] = json.loads(
    (Path(__file__).parents[2] / "examples" / "emoji" / "tasks.json").read_text()
)


@dataclass(frozen=True)
class Task:
    """Class embeddings [K, 384] and the class of every emoji [E], -1 where it has none."""

    prototypes: torch.Tensor
    class_of: torch.Tensor


@dataclass(frozen=True)
class Scores:
    """Mean over the tasks: balanced accuracy, and the mean log likelihood at each of the scales asked for."""

    accuracy: float
    likelihood: dict[float, float]
    by_task: dict[str, float]


def build_tasks(network: CustomTextCLIP, emoji: Sequence[Emoji]) -> dict[str, Task]:
    """The tasks above over E emoji."""
    tasks = {}
    for name, classes in TASKS.items():
        prototypes = embed_texts(network, [TEMPLATE.format(class_name) for class_name in classes])
        class_of = [_class_of(one, list(classes.values())) for one in emoji]
        tasks[name] = Task(prototypes, torch.tensor(class_of))
    return tasks


def held_out_emoji(emoji: Sequence[Emoji], whole_subgroups: bool) -> torch.Tensor:
    """Which emoji [E] no head may see before it is scored: a third of them, or a third of the subgroups.

    Emoji that differ in their first words only ("woman running", "man running") go together.
    `benchmarks/trust_tasks.py` must hide the same third; a test compares them.
    """
    keys = [one.subgroup if whole_subgroups else one.name.split()[-1] for one in emoji]
    return torch.tensor([zlib.crc32(key.encode()) % 3 == 0 for key in keys])


@torch.inference_mode()
def score(
    head: nn.Module,
    features: torch.Tensor,
    emoji_of: torch.Tensor,
    tasks: dict[str, Task],
    scales: Sequence[float] = (),
) -> Scores:
    """Score a head on pictures' features [N, 1280], showing the emoji `emoji_of` [N], by zero-shot tasks."""
    images = functional.normalize(head(features.float()), dim=-1)
    accuracies, likelihoods = {}, []
    for name, task in tasks.items():
        target = task.class_of[emoji_of]
        shown = target >= 0
        if not shown.any():
            continue
        cosines, target = images[shown] @ task.prototypes.T, target[shown]
        right = (cosines.argmax(-1) == target).float()
        accuracies[name] = torch.stack([right[target == k].mean() for k in target.unique()]).mean().item()
        likelihoods.append([-functional.cross_entropy(scale * cosines, target).item() for scale in scales])
    means = torch.tensor(likelihoods).mean(0).tolist()
    return Scores(sum(accuracies.values()) / len(accuracies), dict(zip(scales, means, strict=True)), accuracies)


def _class_of(emoji: Emoji, classes: list[list[str]]) -> int:
    return next((k for k, beginnings in enumerate(classes) if emoji.subgroup.startswith(tuple(beginnings))), -1)
