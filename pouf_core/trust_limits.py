"""How much structure an adaptation needs and how far it may go, by what the base model takes.

Those of pictures were chosen on emoji (see `docs/trust.md`), those of texts on tweets and editorials (`docs/texts.md`
for sentence encoders, `docs/language.md` for language models).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """Limits that differ between pictures, texts and texts that a language model reads.

    Attributes:
        structure: least `Structure.ratio` to train on.
        prompt_structure: the same for learned prompts and prototypes, which move less, or None for no other.
        head_structure: the same for a trained projection, or None for no other.
        room: view agreement from which learned prompts gain too little, or None.
        one_sided: largest `Change.one_sidedness`, or None.
    """

    structure: float
    prompt_structure: float | None = None
    head_structure: float | None = None
    room: float | None = None
    one_sided: float | None = None

    def least_structure(self, tune: str) -> float:
        """Least `Structure.ratio` to train on in a tune mode."""
        gentle = self.prompt_structure
        own = {"prompt": gentle, "prototypes": gentle, "head": self.head_structure}.get(tune)
        return self.structure if own is None else own


PICTURES = Limits(structure=0.72, room=0.36)
TEXTS = Limits(structure=0.72, prompt_structure=0.3, head_structure=0.55, one_sided=0.68)
LANGUAGE = Limits(structure=0.72, one_sided=0.68)
BY_VIEWS = {"flip": PICTURES, "words": TEXTS}


def limits_of(view_kind: str, tune: str, *, language_model: bool = False) -> Limits:
    """The limits for items that are seen in views of this kind, by a language model or another, in a tune mode.

    Anchored prototypes may move the line between classes: as far as they go, that was right (`docs/texts.md`).
    """
    limits = LANGUAGE if language_model else BY_VIEWS[view_kind]
    return replace(limits, one_sided=None) if tune == "prototypes" else limits
