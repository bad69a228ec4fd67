"""Whether an adaptation can be trusted, told without labels.

Before training: adaptation sharpens the groups that the data forms, so it helps where items that lie close together
are of one class. Zero-shot predictions tell: where they agree between neighbours nearly as well as between two views
of one item, the groups are classes; where they agree much less, groups and classes have little to do with each other,
and sharpening them is a coin toss. After training: how far it moved away from what the base model was sure of.

The limits here were chosen on emoji styles that the base model's head had not seen: see `docs/trust.md`. Those that
are others for texts are in `pouf_core.trust_limits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from pouf_core.method import PriorSource
from pouf_core.neighbours import neighbour_mean
from pouf_core.notes import Note, note
from pouf_core.trust_limits import PICTURES, Limits
from pouf_core.verdict import Fallback, Verdict

OVERRULED_LIMIT = 0.22
FLIP_RATE_LIMIT = 0.5
MARGINAL_SHIFT_LIMIT = 0.5  # nats
VANISHED_SHARE = 0.1  # of a class's zero-shot share
NOTICEABLE_SHARE = 0.5  # of 1/K: a class with a smaller zero-shot share may vanish unnoticed
VANISHED_CLASSES_LIMIT = 0.34  # of all classes
ITEMS_PER_CLASS = 4
LEAST_CHANGED = 8  # items, for a mean over those that changed to say something
_LEAST_AGREEMENT = 0.02  # between views, above chance


@dataclass(frozen=True)
class Structure:
    """What the data says about itself before anything is trained.

    Attributes:
        view_agreement: agreement of zero-shot probabilities between two views of an item, above the chance that two
            items drawn at random agree; at most 1.
        neighbour_agreement: the same between an item and its nearest neighbours.
        ratio: neighbour over view agreement: near 1 where items that lie close together are of one class; 0 where
            views agree no better than chance, which leaves nothing to measure neighbours by.
        item_count, class_count: n and K.
        limits: what this is measured by.
    """

    view_agreement: float
    neighbour_agreement: float
    ratio: float
    item_count: int
    class_count: int
    limits: Limits = PICTURES

    @property
    def enough_items(self) -> bool:
        """Whether there are items enough for neighbours to mean anything."""
        return self.item_count >= ITEMS_PER_CLASS * self.class_count

    def is_clear(self, tune: str) -> bool:
        """Whether the data's groups are its classes, as far as a tune mode needs them to be."""
        return self.ratio >= self.limits.least_structure(tune)

    @property
    def leaves_room(self) -> bool:
        """Whether the base model is unsure enough for learned prompts to gain more than they lose."""
        return self.limits.room is None or self.view_agreement < self.limits.room


@dataclass(frozen=True)
class Change:
    """What an adaptation did to the predictions for n items.

    Attributes:
        changed_count: items whose class changed.
        flip_rate: their share.
        overruled_confidence: zero-shot probability, mean of two views, that items lost where their class changed:
            of the old class less of the new one, in [-1, 1].
        marginal_shift: Kullback-Leibler divergence of the adapted marginal from the expected one, in nats.
        confidence_gain: rise of the mean largest probability.
        vanished: indices of classes that are expected and that the adapted model as good as never predicts.
        one_sidedness: share of the changes that is not made up for by changes the other way, so that the shares of the
            predicted classes differ by it: 0 where these stay, 1 where all changes go from some classes to others.
    """

    changed_count: int
    flip_rate: float
    overruled_confidence: float
    marginal_shift: float
    confidence_gain: float
    vanished: list[int]
    one_sidedness: float = 0.0


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reasons, what to serve instead, and the figures behind it."""

    verdict: Verdict
    reasons: list[Note]
    fallback: Fallback | None
    structure: Structure
    change: Change

    def figures(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        figures = asdict(self.structure) | asdict(self.change)
        del figures["limits"]
        return figures


def read_structure(
    zero_shot_views: Tensor, features: Tensor, item_count: int | None = None, limits: Limits = PICTURES
) -> Structure:
    """Compare zero-shot predictions between views of an item and between neighbours.

    Args:
        zero_shot_views: [2, n, K] zero-shot probabilities of the items as they are, and of another view of them.
        features: [n, d] unit-length zero-shot features of the items as they are.
        item_count: items in all, where these are a sample of them.
        limits: what the structure is to be measured by.
    """
    plain, other = zero_shot_views.double()
    chance = plain.mean(dim=0).square().sum()
    room = (1 - chance).clamp(min=1e-6)
    views = ((plain * other).sum(dim=1).mean() - chance) / room
    neighbours = torch.zeros(())
    if len(plain) > 1:
        around = neighbour_mean(features, (plain + other) / 2)
        neighbours = ((plain * around).sum(dim=1).mean() - chance) / room
    return Structure(
        view_agreement=views.item(),
        neighbour_agreement=neighbours.item(),
        ratio=(neighbours / views).item() if views > _LEAST_AGREEMENT else 0.0,
        item_count=item_count or len(plain),
        class_count=plain.shape[1],
        limits=limits,
    )


def read_change(zero_shot_views: Tensor, adapted: Tensor, given_prior: Sequence[float] | None = None) -> Change:
    """Compare class probabilities before and after.

    Args:
        zero_shot_views: [2, n, K] as for `read_structure`.
        adapted: [n, K] adapted probabilities of the items as they are.
        given_prior: [K] shares that the caller knows; without them the zero-shot marginal is expected.
    """
    before, after = zero_shot_views[0], adapted
    belief = zero_shot_views.mean(dim=0)
    old, new = before.argmax(dim=1, keepdim=True), after.argmax(dim=1, keepdim=True)
    changed = (old != new).squeeze(1)
    lost = (belief.gather(1, old) - belief.gather(1, new)).squeeze(1)[changed]
    marginal, adapted_marginal = before.mean(dim=0), after.mean(dim=0)
    if given_prior is not None:
        marginal = torch.tensor(given_prior).to(marginal)
    shift = (adapted_marginal * ((adapted_marginal + 1e-6) / (marginal + 1e-6)).log()).sum()
    vanished = (adapted_marginal < VANISHED_SHARE * marginal) & (marginal > NOTICEABLE_SHARE / before.shape[1])
    return Change(
        changed_count=int(changed.sum()),
        flip_rate=changed.float().mean().item(),
        overruled_confidence=lost.mean().item() if changed.any() else 0.0,
        marginal_shift=shift.item(),
        confidence_gain=(after.max(dim=1).values.mean() - before.max(dim=1).values.mean()).item(),
        vanished=torch.nonzero(vanished).flatten().tolist(),
        one_sidedness=_one_sidedness(old.squeeze(1), new.squeeze(1), before.shape[1]),
    )


def _one_sidedness(old: Tensor, new: Tensor, class_count: int) -> float:
    changed = int((old != new).sum())
    moved = (new.bincount(minlength=class_count) - old.bincount(minlength=class_count)).abs().sum().item() / 2
    return moved / changed if changed else 0.0


def objections(change: Change, class_names: Sequence[str], limits: Limits = PICTURES) -> list[Note]:
    """Why a change is not to be trusted, whatever the data; empty where nothing speaks against it."""
    found = []
    if change.changed_count >= LEAST_CHANGED and change.overruled_confidence >= OVERRULED_LIMIT:
        lost = f"{change.overruled_confidence:.2f}"
        message = f"Where the class changed, the base model had preferred the old one by {lost} on average."
        found.append(note("overrules_confident_predictions", message))
    if change.flip_rate > FLIP_RATE_LIMIT:
        found.append(note("many_flips", f"Adaptation changes the class of {change.flip_rate:.0%} of the items."))
    if change.marginal_shift > MARGINAL_SHIFT_LIMIT:
        message = f"The shares of the classes are {change.marginal_shift:.2f} nats from the expected ones."
        found.append(note("marginal_shift", message))
    one_sided = limits.one_sided is not None and change.one_sidedness > limits.one_sided
    if one_sided and change.changed_count >= LEAST_CHANGED:
        message = (
            f"{change.one_sidedness:.0%} of the changes only shift the classes' shares: that moves the line between "
            "classes by a guess at their shares, and tells them apart no better."
        )
        found.append(note("one_sided_changes", message))
    if len(change.vanished) > VANISHED_CLASSES_LIMIT * len(class_names):
        names = ", ".join(class_names[index] for index in change.vanished)
        found.append(note("classes_vanished", f"The adapted model as good as never predicts: {names}."))
    return found


def doubts(structure: Structure, tune: str) -> list[Note]:
    """Why data with this structure is not to be trained on, by tune mode; empty where it is."""
    found = []
    if not structure.is_clear(tune):
        found.append(weak_structure(structure, tune))
    elif tune == "prompt" and not structure.leaves_room:
        message = (
            f"The base model is sure of its predictions: agreement between two views of an item is "
            f"{structure.view_agreement:.2f} above chance, {structure.limits.room} or more. Learned prompts then gain "
            "little and may lose; tuning the head is safer."
        )
        found.append(note("little_room", message))
    return found


def judge(structure: Structure, change: Change, class_names: Sequence[str], tune: str) -> Judgement:
    """The verdict on a trained model.

    `harmful`, which serves zero-shot by default, where there are doubts about the data or objections to the change;
    `uncertain` where nothing changed or there are too few items to tell; otherwise `improved`.
    """
    if change.changed_count == 0:
        reason = note("nothing_changed", "The adapted model gives every item the base model's class.")
        return Judgement("uncertain", [reason], None, structure, change)
    reasons = doubts(structure, tune) + objections(change, class_names, structure.limits)
    if reasons:
        return Judgement("harmful", reasons, "zero_shot", structure, change)
    if not structure.enough_items:
        return Judgement("uncertain", [too_few_items(structure)], None, structure, change)
    message = (
        f"Predictions agree between neighbouring items {structure.ratio:.0%} as well as between two views of one item, "
        f"and adaptation changed {change.flip_rate:.0%} of them, which the base model was unsure of."
    )
    return Judgement("improved", [note("clear_structure", message)], None, structure, change)


def judge_kept_zero_shot(structure: Structure, change: Change, tune: str, steps: int) -> Judgement:
    """The verdict where the base model was kept as it is, though `steps` of training were asked for."""
    if steps == 0:
        reasons = [note("no_steps", "No training was asked for.")]
    elif doubted := doubts(structure, tune):
        untrained = ' Nothing was trained; "selection": "last" trains all the same.'
        reasons = [note(doubt["code"], doubt["message"] + untrained) for doubt in doubted]
    else:
        reasons = [note("no_step_trusted", "Something speaks against every step of training.")]
    return Judgement("uncertain", reasons, None, structure, change)


def judge_baseline(
    structure: Structure, change: Change, class_names: Sequence[str], *, prior_source: PriorSource
) -> Judgement:
    """The verdict on a method that trains nothing: never `improved`, for nothing but its prior tells.

    A prior that the caller knows is not objected to, however many predictions it changes. Re-weighting to one that was
    only estimated is not trusted: see `docs/trust.md`.
    """
    reasons = [] if prior_source == "given" else objections(change, class_names)
    if prior_source == "estimated" and change.changed_count:
        message = (
            "The class prior was estimated, and re-weighting to an estimate lowers accuracy far more often than it "
            'raises it. Give the shares as "class_prior", or "uniform" where classes are known to be balanced.'
        )
        reasons.append(note("prior_only_estimated", message))
    if reasons:
        return Judgement("harmful", reasons, "zero_shot", structure, change)
    message = f"A method without training; it changes {change.flip_rate:.0%} of the base model's predictions."
    return Judgement("uncertain", [note("not_trained", message)], None, structure, change)


def weak_structure(structure: Structure, tune: str) -> Note:
    """Why data without clear structure is not to be trained on."""
    message = (
        f"Predictions agree between neighbouring items only {max(structure.ratio, 0):.0%} as well as between two views "
        f"of one item ({structure.limits.least_structure(tune):.0%} are needed): items that lie close together are not "
        "of one class, so training has nothing to go by."
    )
    return note("weak_structure", message)


def too_few_items(structure: Structure) -> Note:
    """Why few items are too few to tell."""
    message = f"{structure.item_count} items for {structure.class_count} classes; {ITEMS_PER_CLASS} a class are needed."
    return note("too_few_items", message)
