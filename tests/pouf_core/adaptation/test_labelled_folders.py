"""A folder that says the classes of its pictures is evaluated by them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pouf_core
from tests.pouf_core.conftest import CLASS_NAMES


@pytest.mark.parametrize(
    ("folders", "labels", "missing", "warned"),
    [
        ([name.upper() for name in CLASS_NAMES], "auto", None, set()),
        (
            ["Urlaub 2022", "Urlaub 2023", "2024-08"],
            "auto",
            "labels_match_no_class",
            {"folders_look_like_albums", "labels_match_no_class"},
        ),
        (["Urlaub 2022", "Urlaub 2023", "2024-08"], "none", "no_labels", set()),
    ],
)
def test_folders_are_evaluated_by_unless_they_name_no_class(
    folders: list[str],
    labels: str,
    missing: str | None,
    warned: set[str],
    picture_paths: list[Path],
    tiny_clip_directory: Path,
    tmp_path: Path,
) -> None:
    for folder, path in zip(folders, picture_paths, strict=False):
        (tmp_path / "data" / folder).mkdir(parents=True)
        shutil.copy(path, tmp_path / "data" / folder)
    base, method = f"open_clip:{tiny_clip_directory}", {"type": "zero-shot"}
    result = pouf_core.adapt(tmp_path / "data", CLASS_NAMES, base_model=base, method=method, labels=labels)
    assert (result.evaluation.n if result.evaluation else None) == (None if missing else 3)
    assert (result.no_evaluation.code if result.no_evaluation else None) == missing
    about_labels = {"folders_look_like_albums", "labels_match_no_class", "labels_unmatched", "labels_not_found"}
    assert about_labels & {warning.code for warning in result.warnings} == warned
