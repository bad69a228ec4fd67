"""Every threshold of the validation in one table: what crosses it, what that yields, and where the value comes from.

A new rule is a row here and a criterion in `pouf_core.validation.criteria`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pouf_core.contract.tune_modes import ModelKind, Tune

Mode = Tune | Literal["none"]
"""A tune mode, or `none` for a method that trains nothing."""
Level = Literal["failed_check", "uncertain", "warning"]
"""What a code does: the verdict becomes `harmful` or the step is not kept; it becomes `uncertain`; a person is told."""
Crossed = Literal["below", "at_least", "above"]
"""When a figure crosses a value: figure < value, figure >= value, or figure > value."""

KINDS: tuple[ModelKind, ...] = ("image", "text", "language", "embedding")


@dataclass(frozen=True)
class Limit:
    """One level of a measurement.

    Attributes:
        code: what crossing it yields.
        values: by kind, or by kind and mode where a mode has a value of its own. None, or no entry: does not apply.
    """

    code: str
    values: Mapping[ModelKind | tuple[ModelKind, Mode], float | None]

    def value(self, kind: ModelKind, mode: Mode) -> float | None:
        """The value for base models of a kind in a mode; None where the limit does not apply."""
        return self.values.get((kind, mode), self.values.get(kind))


@dataclass(frozen=True)
class Row:
    """A row of the table: a measurement with its limits, or a constant that other measurements are defined by.

    Attributes:
        name: the measurement.
        unit: of its figure and its values.
        crossed: when a figure crosses a value.
        source: where the values come from.
        limits: the limit of each level that the measurement has.
        constant: the value of a row without limits.
        part_of: the rows that such a constant belongs to.
    """

    name: str
    unit: str
    crossed: Crossed
    source: str
    limits: Mapping[Level, Limit] = field(default_factory=dict)
    constant: float | None = None
    part_of: tuple[str, ...] = ()

    def is_crossed(self, figure: float, value: float) -> bool:
        """Whether a figure crosses a value."""
        return {"below": figure < value, "at_least": figure >= value, "above": figure > value}[self.crossed]


def _everywhere(value: float) -> dict[ModelKind | tuple[ModelKind, Mode], float | None]:
    return dict.fromkeys(KINDS, value)


_VERDICTS = (
    "chosen on emoji styles that the head had not seen; measured as part of the verdicts alone "
    "(benchmarks/results/trust-2core-cpu.json)"
)
_PICTURES_AND_TEXTS = "benchmarks/tuning-pictures.md, 'Structure and view agreement'; benchmarks/tuning-texts.md"

TABLE: tuple[Row, ...] = (
    Row(
        name="structure",
        unit="neighbour agreement / view agreement",
        crossed="below",
        source=f"{_PICTURES_AND_TEXTS}, 'Structure', '`head`' and 'Language models'",
        limits={
            "failed_check": Limit(
                "weak_structure",
                {
                    "image": 0.72,
                    ("image", "prototypes"): 0.5,
                    "text": 0.72,
                    ("text", "prompt"): 0.3,
                    ("text", "prototypes"): 0.3,
                    ("text", "head"): 0.55,
                    "language": 0.72,
                    "embedding": 0.72,  # as for pictures; not measured
                    ("embedding", "prototypes"): 0.5,
                },
            )
        },
    ),
    Row(
        name="least_view_agreement",
        unit="agreement above chance, at most 1",
        crossed="below",
        source="so that structure is not a quotient of two numbers near 0; not measured",
        constant=0.02,
        part_of=("structure",),
    ),
    Row(
        name="view_agreement",
        unit="agreement above chance, at most 1",
        crossed="at_least",
        source="benchmarks/tuning-pictures.md, 'Structure and view agreement': draws of `travel` and `people`",
        limits={"failed_check": Limit("little_room", {("image", "prompt"): 0.36})},
    ),
    Row(
        name="items_per_class",
        unit="items / classes",
        crossed="below",
        source="with fewer, the nearest neighbours of an item say little; not measured",
        limits={
            "uncertain": Limit("too_few_items", _everywhere(4)),
            "warning": Limit("too_few_items", _everywhere(4)),
        },
    ),
    Row(
        name="class_relation",
        unit="standard deviations above class features of an unrelated encoder",
        crossed="below",
        source="benchmarks/tuning-pictures.md, 'Class features of another encoder'",
        limits={
            "uncertain": Limit("class_features_unrelated", {"embedding": 3}),
        },
    ),
    Row(
        name="least_related",
        unit="items, and classes",
        crossed="below",
        source="as `class_relation`",
        constant=3,
        part_of=("class_relation",),
    ),
    Row(
        name="overruled_confidence",
        unit="difference of zero-shot probabilities, -1 to 1",
        crossed="at_least",
        source=_VERDICTS,
        limits={"failed_check": Limit("overrules_confident_predictions", _everywhere(0.22))},
    ),
    Row(
        name="flip_rate",
        unit="share of the items",
        crossed="above",
        source=_VERDICTS,
        limits={
            "failed_check": Limit("many_flips", _everywhere(0.5)),
            "warning": Limit("high_flip_rate", _everywhere(0.3)),
        },
    ),
    Row(
        name="label_share_shift",
        unit="nats",
        crossed="above",
        source=_VERDICTS,
        limits={
            "failed_check": Limit("marginal_shift", _everywhere(0.5)),
            "warning": Limit("marginal_shifted", _everywhere(0.25)),
        },
    ),
    Row(
        name="one_sidedness",
        unit="share of the changes",
        crossed="above",
        # Prototypes are held by an L2 penalty, and as far as that lets them go, moving the line between classes gained.
        # A bias per class, which is all that prior matching adds, moves nothing but that line: with two classes every
        # change is one-sided, whether the shares are right or wrong.
        source="benchmarks/tuning-texts.md, 'One-sided changes'",
        limits={
            "failed_check": Limit(
                "one_sided_changes",
                {
                    "text": 0.68,
                    ("text", "prototypes"): None,
                    ("text", "none"): None,
                    "language": 0.68,
                    ("language", "prototypes"): None,
                    ("language", "none"): None,
                },
            )
        },
    ),
    Row(
        name="least_changes",
        unit="items",
        crossed="below",
        source="a mean over fewer items says nothing; not measured",
        constant=8,
        part_of=("overruled_confidence", "one_sidedness"),
    ),
    Row(
        name="collapsed_classes",
        unit="share of the classes",
        crossed="above",
        source=_VERDICTS,
        limits={
            "failed_check": Limit("classes_vanished", _everywhere(0.34)),
            "warning": Limit("vanished_classes", _everywhere(0)),
        },
    ),
    Row(
        name="collapsed_share",
        unit="share of the class's expected share",
        crossed="below",
        source=_VERDICTS,
        constant=0.1,
        part_of=("collapsed_classes",),
    ),
    Row(
        name="noticeable_share",
        unit="share of 1/K",
        crossed="above",
        source="a class that is expected to be rarer may be absent from the data; not measured",
        constant=0.5,
        part_of=("collapsed_classes",),
    ),
    Row(
        name="confidence_gain",
        unit="rise of the mean largest probability",
        crossed="above",
        source=_VERDICTS,
        limits={"warning": Limit("overconfidence", _everywhere(0.35))},
    ),
    Row(
        name="class_name_distance",
        unit="share of the median distance 1 - cosine between two classes",
        crossed="below",
        source="tests/pouf_core/validation/test_near_duplicates.py, on clip art and the emoji tasks",
        limits={"warning": Limit("near_duplicate_class_names", _everywhere(0.15))},
    ),
    Row(
        name="equal_class_name_distance",
        unit="distance 1 - cosine",
        crossed="below",
        source="no encoder means anything by less; two classes have no other distance to compare theirs with",
        constant=1e-3,
        part_of=("class_name_distance",),
    ),
)


@dataclass(frozen=True)
class Crossing:
    """A value that a figure crosses, and the code which that yields."""

    code: str
    value: float


@dataclass(frozen=True)
class Thresholds:
    """The part of the table that applies to base models of a kind in a tune mode; `none` is of what trains nothing."""

    kind: ModelKind
    mode: Mode

    def value(self, name: str, level: Level) -> float | None:
        """A measurement's value at a level; None where it has none, or does not apply."""
        limit = row(name).limits.get(level)
        return None if limit is None else limit.value(self.kind, self.mode)

    def crossing(self, name: str, level: Level, figure: float) -> Crossing | None:
        """What a measurement's figure yields at a level; None where it stays within the limit, or there is none."""
        found, value = row(name), self.value(name, level)
        if value is None or not found.is_crossed(figure, value):
            return None
        return Crossing(found.limits[level].code, value)


def row(name: str) -> Row:
    """The row of a measurement or a constant; raises `KeyError`."""
    return {each.name: each for each in TABLE}[name]


def constant(name: str) -> float:
    """A constant that measurements are defined by; raises `ValueError` of a row of limits."""
    value = row(name).constant
    if value is None:
        raise ValueError(f"Row {name} has limits, and no constant.")
    return value
