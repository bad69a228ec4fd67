"""Decoded pictures are kept as far as there is room."""

from __future__ import annotations

import numpy as np

from pouf_core.data.kept_pixels import KeptPixels, Pixels

MADE: list[str] = []


def made(name: str, side: int = 2) -> Pixels:
    MADE.append(name)
    return np.full((side, side, 3), len(MADE), np.uint8)


def test_each_is_made_once_while_there_is_room() -> None:
    MADE.clear()
    kept = KeptPixels(lambda: 24)
    first = kept.get("a", "plain", lambda: made("a"))
    kept.get("b", "plain", lambda: made("b"))
    kept.get("c", "plain", lambda: made("c"))
    assert kept.nbytes == 24
    assert kept.get("a", "plain", lambda: made("a")) is first
    kept.get("b", "plain", lambda: made("b"))
    kept.get("c", "plain", lambda: made("c"))
    assert MADE == ["a", "b", "c", "c"]


def test_stages_of_a_picture_are_kept_apart() -> None:
    kept = KeptPixels(lambda: 1000)
    assert kept.get("a", "plain", lambda: made("a")) is not kept.get("a", "square", lambda: made("a"))
