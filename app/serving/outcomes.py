"""What becomes of one input beside a prediction."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ItemError:
    """Why one input got no prediction."""

    code: str
    message: str
