"""What is to be classified, as it is read from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.predictions.inputs import inputs_of
from tests.corpus.tables import UNSURE


def test_texts_of_which_the_encoding_can_hardly_be_told_are_read_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(UNSURE)
    assert len(list(inputs_of([str(path)], "text"))) == 1
    assert "encoding" in capsys.readouterr().err


def test_texts_are_called_as_their_table_calls_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\na1,a fine film\na2,a dull film\na3,\n")
    assert [each.name for each in inputs_of([str(path)], "text")] == ["a1", "a2", f"{path}:4"]
