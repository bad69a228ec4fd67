"""What the answers of people to an audit's items come to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pouf_core.audit.estimation import NONE_OF_THESE, Answered, estimate
from pouf_core.audit.votes import CANT_TELL, Outcome, majority
from pouf_core.contract.audit import AuditDesign, AuditEstimate
from store.tables import Audit, AuditAnswer, AuditItem

OUTCOMES: tuple[Outcome, ...] = ("answered", "none_of_these", "cant_tell", "disputed", "unanswered")
_OF_KIND = {"none_of_these": NONE_OF_THESE, "cant_tell": CANT_TELL}


@dataclass(frozen=True)
class Reviewed:
    """An audit's n items with what people say of each.

    Attributes:
        outcomes: by position: what the answers come to, and the class or `NONE_OF_THESE` that won.
        people: who answered.
    """

    audit: Audit
    items: Sequence[AuditItem]
    outcomes: dict[int, tuple[Outcome, int | None]]
    people: frozenset[str]

    @cached_property
    def design(self) -> AuditDesign:
        """How the items were drawn."""
        return AuditDesign.model_validate(self.audit.design)

    @property
    def counts(self) -> dict[Outcome, int]:
        """Items by outcome."""
        counts = Counter(outcome for outcome, _ in self.outcomes.values())
        return {outcome: counts[outcome] for outcome in OUTCOMES}

    @cached_property
    def estimate(self) -> AuditEstimate | None:
        """What the answers say of all items; None where they say nothing yet."""
        answered = [item for item in self.items if self.outcomes[item.position][1] is not None]
        columns = {name: _column(answered, name) for name in ("adapted", "zero_shot")}
        answers = Answered(
            strata=_column(answered, "stratum"),
            truth=np.array([self.outcomes[item.position][1] for item in answered], dtype=np.int64),
            probability=np.array([item.probability for item in answered], dtype=np.float64),
            **columns,
        )
        return estimate(self.design, answers, self.audit.wished_accuracy)


def reviewed(audit: Audit, items: Sequence[AuditItem], answers: Iterable[AuditAnswer]) -> Reviewed:
    """Bring an audit's items and the answers that count together."""
    given: dict[int, list[int]] = {item.position: [] for item in items}
    people = set()
    for answer in answers:
        given[answer.position].append(_OF_KIND[answer.kind] if answer.label is None else answer.label)
        people.add(answer.person)
    return Reviewed(audit, items, {place: majority(each) for place, each in given.items()}, frozenset(people))


def _column(items: Sequence[AuditItem], name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([getattr(item, name) for item in items], dtype=np.int64)
