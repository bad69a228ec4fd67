"""Tasks for `gain.py`: features of items and classes with labels, from files, and encoded from pictures and texts."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from texts import CHOOSING_TASKS, distinct_texts
from torch import Tensor
from torch.nn.functional import normalize
from trust_tasks import clip_art, emoji_tasks

from cli.review_texts import TASKS, fetch
from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import parse_class_names
from pouf_core.families.cosine.prompts import build_prompts
from pouf_core.families.loading import load_base_model
from pouf_core.families.registry import describe
from pouf_core.validation.gain import GAIN_ROWS, gain_row

SUBSET_SIZES = (5, 12, 25, 40)
LEAST_CLASSES_OF_A_SUBSET = 10
MOST_TEXTS = 3000
WORDINGS = {
    "products": (
        ("a terrible product", "a great product"),
        ("negative product review", "positive product review"),
        ("the customer is unhappy with it", "the customer is happy with it"),
    ),
    "movies": (
        ("a terrible movie", "a great movie"),
        ("negative movie review", "positive movie review"),
        ("the critic disliked the film", "the critic liked the film"),
    ),
    "tweets": (("a negative tweet", "a positive tweet"), ("sad", "happy"), ("unhappy person", "happy person")),
    "editorials": (
        ("bad news", "good news"),
        ("criticism", "approval"),
        ("a negative opinion", "a positive opinion"),
    ),
}
"""How the two classes of each kind of texts are named."""


@dataclass(frozen=True)
class FeatureTask:
    """Encoded items and classes.

    Attributes:
        name: what it is called.
        family: tasks of one family share items or classes; they are left out of a fit together.
        row: which of `GAIN_ROWS` the encoder has.
        whole: the task itself, not one of its variants, so that it belongs into the table of gains.
        features: [n, d] of unit length.
        prototypes: [K, d] of unit length.
        labels: [n] indices of the true classes, for measuring only.
    """

    name: str
    family: str
    row: str
    whole: bool
    features: Tensor
    prototypes: Tensor
    labels: np.ndarray


def feature_tasks(files: list[Path]) -> list[FeatureTask]:
    """The tasks of features in files, one a wording; the first wording is the whole task.

    Args:
        files: npz with `image` [n, d], `text` [K, d] or [T, K, d] for T wordings, and `label` [n]. Files with equal
            labels are one set of items seen by several encoders, and so one family.
    """
    archives = {path.stem: _arrays(path) for path in files}
    row = _row(describe("features"))
    tasks = []
    for name, arrays in archives.items():
        same = [other for other, found in archives.items() if np.array_equal(found["label"], arrays["label"])]
        family = os.path.commonprefix(same).strip("_-") or name
        tasks += _tasks_of(name, family, row, arrays)
    return tasks


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in ("image", "text", "label")}


def _tasks_of(name: str, family: str, row: str, arrays: dict[str, np.ndarray]) -> list[FeatureTask]:
    text = torch.from_numpy(arrays["text"].astype(np.float32))
    features = normalize(torch.from_numpy(arrays["image"].astype(np.float32)), dim=1)
    wordings = text if text.ndim == 3 else text[None]
    return [
        FeatureTask(
            name=name if number == 0 else f"{name}, wording {number + 1}",
            family=family,
            row=row,
            whole=number == 0,
            features=features,
            prototypes=normalize(prototypes, dim=1),
            labels=arrays["label"].astype(np.int64),
        )
        for number, prototypes in enumerate(wordings)
    ]


def variants(task: FeatureTask) -> Iterator[FeatureTask]:
    """A task's variants, drawn by its name: some of its classes with their items, and a quarter of its items.

    Tasks of few classes have none, since their subsets are all alike.
    """
    class_count = len(task.prototypes)
    if not task.whole or class_count < LEAST_CLASSES_OF_A_SUBSET:
        return
    random = np.random.default_rng(zlib.crc32(task.name.encode()))
    for size in (one for one in SUBSET_SIZES if one < class_count):
        classes = np.sort(random.permutation(class_count)[:size])
        rows = np.flatnonzero(np.isin(task.labels, classes))
        yield replace(
            task,
            name=f"{task.name}, {size} classes",
            whole=False,
            features=task.features[rows],
            prototypes=task.prototypes[classes],
            labels=np.searchsorted(classes, task.labels[rows]),
        )
    rows = np.sort(random.permutation(len(task.labels))[: max(60, len(task.labels) // 4)])
    yield replace(
        task, name=f"{task.name}, few items", whole=False, features=task.features[rows], labels=task.labels[rows]
    )


def picture_tasks(emoji: Path | None, encoded: Path) -> list[FeatureTask]:
    """Clip art, and every style of emoji under `emoji`, by `pouf-lite`; what is drawn is one family in all styles."""
    encoder = _Encoder("pouf-lite", encoded)
    drawn = [("clip art", clip_art())]
    for style in sorted(path.stem for path in emoji.glob("*.npz")) if emoji else []:
        drawn += [(f"{one.name}, {style}", one) for one in emoji_tasks(emoji, [style], hidden_only=False)]
    tasks = []
    for name, one in drawn:
        arrays = encoder.arrays(name, one.pictures, [tuple(one.class_names)], one.labels)
        tasks += _tasks_of(name, one.name, encoder.row, arrays)
    return tasks


def text_tasks(folder: Path, encoded: Path) -> list[FeatureTask]:
    """Four kinds of texts in three wordings each by `minilm`; a kind is a family.

    Args:
        folder: where the fetched texts lie.
        encoded: where features are kept.
    """
    encoder = _Encoder("minilm", encoded)
    tasks = []
    for one in (*TASKS, *CHOOSING_TASKS):
        found = distinct_texts(fetch(folder), one, MOST_TEXTS)
        labels = np.array(list(found.values()))
        arrays = encoder.arrays(one.name, list(found), list(WORDINGS[one.name]), labels)
        tasks += [replace(task, whole=True) for task in _tasks_of(one.name, one.name, encoder.row, arrays)]
    return tasks


class _Encoder:
    """A base model and a folder in which what it encodes is kept."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self.row = _row(describe(name))
        self._rows: dict[Any, Tensor] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def arrays(
        self, name: str, items: list[Any], wordings: list[tuple[str, ...]], labels: np.ndarray
    ) -> dict[str, np.ndarray]:
        """`image` [n, d], `text` [T, K, d] and `label` [n] of a task; pictures must live as long as this does."""
        path = self._folder / f"{self._name}, {name}.npz"
        if not path.exists():
            text = np.stack([self._prototypes(names) for names in wordings])
            partial = path.with_suffix(".partial.npz")
            np.savez(partial, image=self._features(items), text=text, label=labels)
            partial.replace(path)
        return _arrays(path)

    def _features(self, items: list[Any]) -> np.ndarray:
        base = _loaded(self._name)
        missing = [item for item in items if _key(item) not in self._rows]
        if missing and isinstance(missing[0], str):
            missing.sort(key=len)  # those of like length are encoded together
        for start in range(0, len(missing), ENCODE_BATCH):
            part = missing[start : start + ENCODE_BATCH]
            rows = base.encode_plain([base.decode(item) for item in part])
            self._rows |= {_key(item): row for item, row in zip(part, rows, strict=True)}
        return torch.stack([self._rows[_key(item)] for item in items]).numpy()

    def _prototypes(self, class_names: tuple[str, ...]) -> np.ndarray:
        base = _loaded(self._name)
        templates = base.description.default_prompt_templates
        with torch.no_grad():
            prompts = build_prompts(parse_class_names(list(class_names)), templates, base.tokenizer)
            return np.asarray(base.prototypes(prompts).float())


def _key(item: Any) -> Any:
    """What tells an item from others: texts and paths themselves, and pictures, which several tasks share."""
    return item if isinstance(item, str | Path) else id(item)


@lru_cache
def _loaded(name: str) -> Any:
    return load_base_model(name, torch.device("cpu"))


def _row(base: BaseModelDescription) -> str:
    """The name of a base model's row."""
    return next(name for name, row in GAIN_ROWS.items() if row is gain_row(base))
