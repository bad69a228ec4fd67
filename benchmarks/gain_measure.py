"""What every closed form truly gains in one cell, task x skew x seed, and what the evidence without labels is."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gain_tasks import FeatureTask
from torch import Tensor
from trust_tasks import LEAST_ITEMS, skewed_rows

import pouf_core
from pouf_core.closed_forms.candidates import ClosedForms
from pouf_core.closed_forms.target import target_of
from pouf_core.contract.closed_forms import CLOSED_FORM_TUNES
from pouf_core.validation.evidence import Witness

SKEWS = ("as they are", "1:10", "1:50", "a third absent")
Cell = dict[str, Any]


def cells_of(task: FeatureTask, seeds: int) -> Iterator[tuple[str, int, FeatureTask]]:
    """Skews, seeds, and the items of the task that each leaves; all of them are one deterministic run, so one seed."""
    for skew in SKEWS:
        for seed in range(1 if skew == SKEWS[0] else seeds):
            rows = skewed_rows(task.labels, len(task.prototypes), skew, seed)
            if len(rows) >= LEAST_ITEMS:
                yield skew, seed, replace(task, features=task.features[rows], labels=task.labels[rows])


def measure(task: FeatureTask) -> dict[str, Any]:
    """Zero-shot accuracy, and gain and evidence of every closed form."""
    started = time.monotonic()
    target = target_of(task.features, task.prototypes)
    forms, witness = ClosedForms(target), Witness(target)
    zero_shot = _accuracy((task.features @ task.prototypes.T).argmax(dim=1), task.labels)
    candidates = []
    for settings in forms.settings(frozenset(CLOSED_FORM_TUNES)):
        classes = forms.fit(settings)(task.features).class_logits.argmax(dim=1)
        candidates.append(
            {
                "settings": settings.model_dump(exclude_none=True),
                "gain": _accuracy(classes, task.labels) - zero_shot,
                "evidence": asdict(witness.evidence(classes)),
            }
        )
    sizes = Counter(task.labels.tolist()).values()
    return {
        "items": len(task.labels),
        "classes": len(task.prototypes),
        "class_size_ratio": max(sizes) / min(sizes),
        "zero_shot": zero_shot,
        "candidates": candidates,
        "seconds": time.monotonic() - started,
    }


def trained_gain(task: FeatureTask, tune: str, seed: int) -> float:
    """Gain in points of what is served after POUF over the features."""
    with tempfile.TemporaryDirectory() as directory:
        result = pouf_core.adapt_features(
            task.features.numpy(),
            task.prototypes.numpy(),
            method={"tune": tune},
            seed=seed,
            out=Path(directory) / "model",
        )
    zero_shot = _accuracy((task.features @ task.prototypes.T).argmax(dim=1), task.labels)
    return _accuracy(torch.from_numpy(np.asarray(result.predictions)), task.labels) - zero_shot


def _accuracy(classes: Tensor, labels: np.ndarray) -> float:
    """In per cent."""
    return 100 * float(np.mean(classes.numpy() == labels))


def code_fingerprint() -> str:
    """Of the code that decides what a cell holds; cells of other code are measured again."""
    folder = Path(pouf_core.__file__).parent
    files = [*sorted((folder / "closed_forms").glob("*.py")), folder / "validation" / "evidence.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


class GainCells:
    """Cells in a file of JSON lines, so that an interrupted benchmark goes on where it was.

    Args:
        path: the file, made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._code = path, code_fingerprint()
        path.touch()
        read = [json.loads(line) for line in path.read_text().splitlines()]
        self._cells = {_key(cell): cell for cell in read if cell["code"] == self._code}

    def measured(self, tasks: Iterable[FeatureTask], seeds: int, train: list[str]) -> Iterator[Cell]:
        """The cells of the tasks; those that the file does not have are measured and kept.

        Args:
            tasks: with their variants.
            seeds: how many, from 0.
            train: tune modes of POUF, for whole tasks of embeddings.
        """
        for task in tasks:
            for skew, seed, part in cells_of(task, seeds):
                head = {"code": self._code, "task": task.name, "skew": skew, "seed": seed}
                cell = self._cells.get(_key(head))
                wanted = [tune for tune in train if task.whole and task.row == "pairs"]
                known = cell["trained"] if cell else {}
                missing = [tune for tune in wanted if tune not in known]
                if cell is None or missing:
                    trained = known | {tune: trained_gain(part, tune, seed) for tune in missing}
                    cell = {**(cell or {**head, **_about(task), **measure(part)}), "trained": trained}
                    self._keep(cell)
                yield cell

    def _keep(self, cell: Cell) -> None:
        self._cells[_key(cell)] = cell
        with self._path.open("a") as file:
            file.write(json.dumps(cell) + "\n")


def _about(task: FeatureTask) -> dict[str, Any]:
    return {"family": task.family, "row": task.row, "whole": task.whole}


def _key(cell: Cell) -> tuple[str, str, int]:
    return cell["task"], cell["skew"], cell["seed"]
