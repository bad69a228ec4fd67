"""Loaded small language models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pouf_core.families.language.model import LanguageModel
from tests.pouf_core.families.language.tiny_models import load_masked, save_masked


@pytest.fixture(scope="session")
def masked_directory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Saves a family's model once."""
    root = tmp_path_factory.mktemp("masked")
    saved: dict[str, Path] = {}

    def save(family: str) -> Path:
        if family not in saved:
            saved[family] = save_masked(family, root / family)
        return saved[family]

    return save


@pytest.fixture(scope="session")
def masked(masked_directory: Callable[[str], Path]) -> Callable[[str], LanguageModel]:
    """Loads a family's model afresh at every call."""
    return lambda family: load_masked(masked_directory(family))
