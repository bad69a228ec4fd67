"""How much structure an adaptation needs and how far it may go, by what the base model takes.

Those of pictures were chosen on emoji (see `docs/trust.md`), those of texts on tweets and editorials (`docs/texts.md`
for sentence encoders, `docs/language.md` for language models).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pouf_core.contract.base_model import PresetFamily


@dataclass(frozen=True)
class Limits:
    """Limits that differ between pictures, texts and texts that a language model reads.

    Attributes:
        structure: least `Structure.ratio` to train on.
        structure_of: the same for tune modes that have a limit of their own.
        room: view agreement from which learned prompts gain too little, or None.
        one_sided: largest `Change.one_sidedness`, or None.
    """

    structure: float
    structure_of: Mapping[str, float] = field(default_factory=dict)
    room: float | None = None
    one_sided: float | None = None

    def least_structure(self, tune: str) -> float:
        """Least `Structure.ratio` to train on in a tune mode."""
        return self.structure_of.get(tune, self.structure)


PICTURES = Limits(structure=0.72, structure_of={"prototypes": 0.5}, room=0.36)
TEXTS = Limits(structure=0.72, structure_of={"prompt": 0.3, "prototypes": 0.3, "head": 0.55}, one_sided=0.68)
LANGUAGE = Limits(structure=0.72, one_sided=0.68)
BY_FAMILY: dict[PresetFamily, Limits] = {"image": PICTURES, "text": TEXTS, "language": LANGUAGE}


def limits_of(family: PresetFamily, tune: str) -> Limits:
    """The limits for base models of a family, in a tune mode.

    Anchored prototypes may move the line between classes: as far as they go, that was right (`docs/texts.md`).
    """
    limits = BY_FAMILY[family]
    return replace(limits, one_sided=None) if tune == "prototypes" else limits
