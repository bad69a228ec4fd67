import re
from pathlib import Path

from cli.exit_codes import ExitCode

PAGE = Path(__file__).parent.parent.parent / "docs" / "command-line.md"


def test_the_page_lists_every_exit_code_with_its_meaning():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == {code.value: code.meaning for code in ExitCode}
