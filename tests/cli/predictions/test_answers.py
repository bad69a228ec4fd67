import csv
import json

import pytest

from cli.exit_codes import ExitCode
from cli.predictions.answers import Answer, show_all, showing
from cli.predictions.inputs import Unreadable

FORMULA = "=cmd|' /C calc'!A0"
CLEAR = "\x1b[2J"


def answered(name, label):
    return Answer(name, label, 0.9, None, [(label, 0.9), ("other", 0.1)])


def test_no_cell_of_a_table_is_a_formula(tmp_path):
    said = [answered(FORMULA, "@SUM(A1)"), Unreadable("+1", "undecodable_image", "Not a picture.")]
    with showing(tmp_path / "labels.csv", as_json=False) as show:
        assert show_all(said, show) == ExitCode.PARTLY
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"'{FORMULA}", "'+1"]
    assert rows[0]["label"] == "'@SUM(A1)"
    assert rows[0]["top_k"].startswith("'@SUM(A1) 0.9")


def test_lines_of_json_hold_what_was_said(tmp_path):
    with showing(tmp_path / "labels.jsonl", as_json=False) as show:
        show(answered(FORMULA, "a"))
    assert json.loads((tmp_path / "labels.jsonl").read_text())["name"] == FORMULA


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_shown_gives_a_terminal_no_commands(capsys, as_json):
    with showing(None, as_json=as_json) as show:
        show_all([answered(f"{CLEAR}\x9b2J.png", "a"), Unreadable(CLEAR, "empty_file", "The file is empty.")], show)
    shown = capsys.readouterr()
    assert shown.out
    assert not {"\x1b", "\x9b"} & {*shown.out, *shown.err}
