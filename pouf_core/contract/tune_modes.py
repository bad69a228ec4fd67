"""What can be trained of a base model: one row a tune mode.

To add a tune mode, touch these files:

1. here: its name in `Tune` and its row;
2. `pouf_core/contract/presets.py`: its numbers, for each preset and kind of base model;
3. where it trains parameters of the network, `trained_parameters` of the package in `pouf_core/families`;
   else a new learner in that package, and its `prompted.py`, which builds it by the row's `learner`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tune = Literal["auto", "calibrate", "gaussian", "propagate", "prompt", "prototypes", "head", "last_n", "norm", "model"]
ModelKind = Literal["image", "text", "language", "embedding"]
"""Models of pictures, sentence encoders, language models that are asked for label words, and a caller's own vectors."""
LearnerKind = Literal["context", "prototypes", "network", "closed_form"]
"""What holds the trained tensors: context vectors, text prototypes, or the network's own parameters; or a closed form,
which has none."""

_CONTEXT = ("context", "context_init", "context_length")
_SCALE = "logit_scale_learning_rate"
_NETWORKS: tuple[ModelKind, ...] = ("image", "text", "language")
_COSINE: tuple[ModelKind, ...] = ("image", "text")
_FROZEN: tuple[ModelKind, ...] = ("image", "text", "embedding")


@dataclass(frozen=True)
class TuneMode:
    """One tune mode.

    Attributes:
        name: as callers write it.
        trains: what it trains, for the documentation.
        kinds: the kinds of base models that have it.
        learner: what holds the trained tensors.
        settings: the settings of a method that it uses and other modes do not.
        through_items: the kinds whose gradients go through the whole network of the items, which needs small
            micro-batches.
    """

    name: Tune
    trains: str
    kinds: tuple[ModelKind, ...]
    learner: LearnerKind
    settings: frozenset[str]
    through_items: tuple[ModelKind, ...] = ()


_ROWS = (
    TuneMode(
        "auto",
        "what the evidence speaks for among the closed forms, or nothing; in preset `paper`, with a setting of "
        "training, and for language models, `prompt`",
        (*_FROZEN, "language"),
        "closed_form",
        frozenset(),
    ),
    TuneMode(
        "calibrate",
        "nothing: what all items have in common is taken off",
        (*_FROZEN, "language"),
        "closed_form",
        frozenset(),
    ),
    TuneMode("gaussian", "a linear classifier, by Gaussian classes", _FROZEN, "closed_form", frozenset()),
    TuneMode(
        "propagate",
        "a linear classifier, by Gaussian classes and a graph of neighbours",
        _FROZEN,
        "closed_form",
        frozenset(),
    ),
    TuneMode(
        "prompt",
        "context vectors in place of the template's words",
        _NETWORKS,
        "context",
        frozenset({*_CONTEXT, "anchor_weight", _SCALE}),
        through_items=("language",),  # whose context vectors stand around the text of every item
    ),
    TuneMode("prototypes", "the text prototypes themselves", _FROZEN, "prototypes", frozenset({"anchor_weight"})),
    TuneMode("head", "the projections into the shared space", _COSINE, "network", frozenset({_SCALE})),
    TuneMode(
        "last_n",
        "the last n blocks of every tower, and the projections",
        _COSINE,
        "network",
        frozenset({"last_n", _SCALE}),
        through_items=_COSINE,
    ),
    TuneMode(
        "norm",
        "scales and shifts of the normalisation layers",
        _NETWORKS,
        "network",
        frozenset({_SCALE}),
        through_items=_NETWORKS,
    ),
    TuneMode(
        "model",
        "every weight, a language model's head included",
        _NETWORKS,
        "network",
        frozenset({_SCALE}),
        through_items=_NETWORKS,
    ),
)
TUNE_MODES: dict[Tune, TuneMode] = {mode.name: mode for mode in _ROWS}
MODE_SETTINGS: frozenset[str] = frozenset().union(*(mode.settings for mode in _ROWS))
"""Settings of a method that only some tune modes use."""


def tune_modes_of(kind: ModelKind) -> tuple[Tune, ...]:
    """The modes that base models of a kind have, in the table's order."""
    return tuple(mode.name for mode in _ROWS if kind in mode.kinds)


def modes_using(setting: str) -> list[Tune]:
    """The modes that use a setting, in the table's order."""
    return [mode.name for mode in _ROWS if setting in mode.settings]
