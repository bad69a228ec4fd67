"""The size of files and functions: what is larger has more than one reason to change."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_LINES = 300
MOST_LINES_OF_TESTS = 320
MOST_LINES_OF_A_FUNCTION = 60


def sources() -> Iterator[Path]:
    """Every Python file of the repository, migrations aside, which never change."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = listed.split() or [str(path.relative_to(ROOT)) for path in ROOT.glob("*/**/*.py")]
    return (ROOT / name for name in names if "/migrations/versions/" not in name and (ROOT / name).exists())


def test_no_file_is_longer_than_one_concern_needs():
    too_long = {}
    for path in sources():
        most = MOST_LINES_OF_TESTS if path.is_relative_to(ROOT / "tests") else MOST_LINES
        lines = len(path.read_text().splitlines())
        if lines > most:
            too_long[str(path.relative_to(ROOT))] = lines
    assert not too_long


def test_no_function_is_longer_than_a_screen():
    too_long = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    too_long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert not too_long
