"""What data holds, where nobody names a base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pouf_core.adaptation.embeddings import modality_of_data
from pouf_core.data.items import Item
from pouf_core.data.texts import TextItem


@pytest.mark.parametrize(
    ("data", "modality"),
    [
        (np.zeros((2, 3)), "embedding"),
        ([TextItem("a text")], "text"),
        ([Item("0", TextItem("one", "other"))], "text"),
        ([Path("a.csv")], "text"),
        ([Path("a.parquet")], "text"),
        ([Path("a.png")], "image"),
        (["a.png"], "image"),
        ([Image.new("RGB", (2, 2))], "image"),
        ([], "image"),
    ],
)
def test_the_first_of_a_list_tells(data: Any, modality: str) -> None:
    assert modality_of_data(data) == modality


@pytest.mark.parametrize(
    ("names", "modality"),
    [
        (["a.csv", "b.txt"], "text"),
        (["a.png", "labels.csv"], "image"),
        ([".hidden.png", "a.jsonl.gz"], "text"),
        (["a.xlsx"], "text"),
    ],
)
def test_the_files_of_a_folder_tell(names: list[str], modality: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert modality_of_data(tmp_path) == modality
    assert modality_of_data(tmp_path / "reviews.csv") == "text"
