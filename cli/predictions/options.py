"""How inputs are to be classified."""

from dataclasses import dataclass

from pouf_core.contract.abstention import Threshold


@dataclass(frozen=True)
class Options:
    """What `pouf predict` was asked for.

    Attributes:
        top_k: how many classes to list.
        variant: `adapted` or `zero_shot`; None: `adapted`, unless the model fell back to zero-shot, which is said.
        threshold: below this probability an input is none of the classes; None is the model's own.
        text_column: of tables.
    """

    top_k: int = 1
    variant: str | None = None
    threshold: Threshold | None = None
    text_column: str | None = None
