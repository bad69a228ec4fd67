"""How good estimates of gains are: ranking, coverage, width, what is served; families are drawn with replacement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gain_fit import LEAST_FAMILIES, Candidates, Floats
from gain_measure import Cell
from numpy.typing import NDArray
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from pouf_core.contract.closed_forms import ClosedFormSettings
from pouf_core.validation.evidence import Evidence
from pouf_core.validation.gain import TOLERATED_LOSS, passed_over

_NOTABLE = 1.0  # points
_RESAMPLES = 300


@dataclass(frozen=True)
class Measured:
    """The candidates of some cells, in order.

    Attributes:
        cells: the cells.
        data: m candidates.
        cell: [m] place of each one's cell among the cells.
        tunes: [m] tune modes.
    """

    cells: list[Cell]
    data: Candidates
    cell: NDArray[np.int64]
    tunes: NDArray[Any]

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> Measured:
        """All the candidates of the cells."""
        cells = list(cells)
        rows = [(place, cell, one) for place, cell in enumerate(cells) for one in cell["candidates"]]
        data = Candidates(
            evidence=[Evidence(**one["evidence"]) for _, _, one in rows],
            settings=[ClosedFormSettings.model_validate(one["settings"]) for _, _, one in rows],
            gains=np.array([one["gain"] for _, _, one in rows]),
            families=np.array([cell["family"] for _, cell, _ in rows]),
        )
        return cls(
            cells,
            data,
            np.array([place for place, _, _ in rows]),
            np.array([one["settings"]["tune"] for _, _, one in rows]),
        )

    def gains(self, estimates: Floats, tunes: Iterable[str], *, always: bool = False) -> Floats:
        """Gain [cells] of the best candidate by the estimates; 0 where it is not served, unless `always`."""
        allowed = np.isin(self.tunes, list(tunes))
        served, order = _served(estimates[:, 0], estimates[:, 1]), _order(estimates[:, 0], estimates[:, 1])
        found = np.zeros(len(self.cells))
        for place in range(len(self.cells)):
            own = self._eligible((self.cell == place) & allowed)
            best = next(one for one in order if own[one])
            if always or served[best]:
                found[place] = self.data.gains[best]
        return found

    def eligible(self) -> NDArray[np.bool_]:
        """Whether each candidate [m] may be chosen, all tune modes together."""
        found = [self._eligible(self.cell == place) for place in range(len(self.cells))]
        return np.any(found, axis=0)

    def _eligible(self, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which [m] of some candidates of one cell may be chosen."""
        places = np.flatnonzero(among)
        data = self.data
        out = passed_over([data.settings[at] for at in places], [data.evidence[at].changed for at in places])
        found = np.zeros(len(among), bool)
        found[places] = ~np.array(out)
        return found

    def best(self) -> Floats:
        """Gain [cells] of the best candidate or zero-shot, which only labels tell."""
        found = np.zeros(len(self.cells))
        np.maximum.at(found, self.cell, self.data.gains)
        return found


def _served(points: Floats, low: Floats) -> NDArray[np.bool_]:
    """As `is_served`."""
    return low > -np.minimum(points, TOLERATED_LOSS)


def _order(points: Floats, low: Floats) -> NDArray[np.int64]:
    """Places by `preference`, the best first."""
    served = _served(points, low)
    return np.lexsort((np.where(served, points, low), served))[::-1]


def qualities(
    groups: dict[str, Measured], estimates: dict[str, Floats], only: dict[str, set[str]] | None = None
) -> dict[str, Any]:
    """Of each row's candidates, and of all together; of some families where `only` names them."""
    parts: dict[str, NDArray[Any]] = {}
    first_cell = 0
    for name, estimate in estimates.items():
        group = groups[name]
        chosen = np.ones(len(estimate), bool) if only is None else np.isin(group.data.families, list(only[name]))
        if chosen.any():
            parts[name] = _columns(name, group, estimate, first_cell)[chosen]
        first_cell += len(group.cells)
    found = {name: _quality(part) for name, part in parts.items()}
    return found | ({"all": _quality(np.concatenate(list(parts.values())))} if len(parts) > 1 else {})


_COLUMN = np.dtype(
    [("family", "U80"), ("cell", "i8"), ("eligible", "?")]
    + [(name, "f8") for name in ("changed", "gain", "points", "low", "high")]
)


def _columns(name: str, group: Measured, estimate: Floats, first_cell: int) -> NDArray[Any]:
    found = np.empty(len(estimate), _COLUMN)
    found["family"] = [f"{name}: {family}" for family in group.data.families]
    found["cell"], found["eligible"] = group.cell + first_cell, group.eligible()
    found["changed"], found["gain"] = group.data.percent, group.data.gains
    found["points"], found["low"], found["high"] = estimate.T
    return found


def _quality(rows: NDArray[Any]) -> dict[str, Any]:
    """The figures with 95 % intervals, families drawn with replacement."""
    parts = [np.flatnonzero(rows["family"] == family) for family in np.unique(rows["family"])]
    found: dict[str, Any] = {"candidates": len(rows), "families": len(parts)}
    for name, measure in QUALITIES.items():
        found[name] = measure(rows)
        if len(parts) >= LEAST_FAMILIES:
            found[f"{name}_interval"] = _clustered(rows, parts, measure)
    return found


def _clustered(
    rows: NDArray[Any], parts: list[NDArray[np.int64]], measure: Callable[[NDArray[Any]], float]
) -> list[float]:
    def statistic(chosen: NDArray[np.int64]) -> float:
        return measure(rows[np.concatenate([parts[one] for one in chosen])])

    random = np.random.default_rng(0)
    places = (np.arange(len(parts)),)
    spread = bootstrap(
        places, statistic, vectorized=False, n_resamples=_RESAMPLES, method="percentile", rng=random
    ).confidence_interval
    return [float(spread.low), float(spread.high)]


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _auroc(rows: NDArray[Any]) -> float:
    """How well the estimate tells candidates that lose from those that do not."""
    kept = rows["gain"] >= 0
    return float(roc_auc_score(kept, rows["points"])) if 0 < kept.sum() < len(kept) else float("nan")


def _coverage(rows: NDArray[Any]) -> float:
    some = rows[rows["changed"] > 0]
    return _mean((some["low"] <= some["gain"]) & (some["gain"] <= some["high"]))


def _width(rows: NDArray[Any]) -> float:
    some = rows[rows["changed"] > 0]
    return float(np.median(some["high"] - some["low"])) if len(some) else float("nan")


def _forgone(rows: NDArray[Any]) -> float:
    """Points by which the best candidate in hindsight, or zero-shot, is ahead of what is served, mean over cells."""
    eligible = rows[rows["eligible"]]
    ordered = eligible[_order(eligible["points"], eligible["low"])]
    cells, first = np.unique(ordered["cell"], return_index=True)
    chosen = ordered[first]
    best = np.zeros(len(cells))
    np.maximum.at(best, np.searchsorted(cells, rows["cell"]), rows["gain"])
    return _mean(best - np.where(_served(chosen["points"], chosen["low"]), chosen["gain"], 0))


def _share_served(rows: NDArray[Any]) -> float:
    return _mean(_served(rows["points"], rows["low"]))


QUALITIES: dict[str, Callable[[NDArray[Any]], float]] = {
    "truly_losing": lambda rows: _mean(rows["gain"] < 0),
    "auroc": _auroc,
    "coverage": _coverage,
    "median_width": _width,
    "losers_served": lambda rows: _share_served(rows[rows["gain"] <= -_NOTABLE]),
    "gainers_served": lambda rows: _share_served(rows[rows["gain"] >= _NOTABLE]),
    "forgone": _forgone,
}
