"""The commands of a page: its fenced blocks of shell and Python, which tests run in order.

A comment on the line before a block says what else becomes of it, so that readers of the source see it, too:

- ``<!-- not run: REASON -->``: no test runs it;
- ``<!-- slow -->``: `make docs-test` runs it, the default tests do not;
- ``<!-- on: MACHINE -->``: `make machines` runs it, on the machine of that name.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "client" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL, PYTHON = frozenset({"sh", "bash"}), "python"
#: What begins a command; in blocks of no language nobody would run it.
BEGINNING = re.compile(r"^\s*(\$ |pouf |\.venv/bin/|make |curl |pip |python |docker |npm )", re.MULTILINE)
_BLOCK = re.compile(
    r"(?:^<!-- (not run|slow|on)(?:: ([^\n]*))? -->\n)?^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S[^\n]*\n)+")


@dataclass(frozen=True)
class Block:
    """A fenced block, with the number of its first line.

    Attributes:
        mark: `not run`, `slow` or `on`; empty for most.
        reason: why it is not run, or the machine that runs it.
    """

    language: str
    text: str
    line: int
    mark: str
    reason: str


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[3], found[4], text.count("\n", 0, found.start(4)) + 1, found[1] or "", found[2] or "")
        for found in _BLOCK.finditer(text)
    ]


def unmarked_commands(page: Path) -> list[str]:
    """Commands outside of blocks that say their language, which no test would run."""
    text = page.read_text(encoding="utf-8")
    others = [block.text for block in blocks_of(page) if block.language not in {*SHELL, PYTHON, "json", "ini"}]
    indented = _INDENTED.findall(_BLOCK.sub("", text))
    return [text for text in (*others, *indented) if BEGINNING.search(text)]


def shell_script(blocks: list[Block], places: dict[str, str]) -> str:
    """One script of the shell blocks, which ends at the first command that fails and says in which block that was.

    Args:
        blocks: of one page.
        places: what stands in the page, and what the test has in its place.
    """
    lines = ["set -euo pipefail", """trap 'echo "failed in the block at line $block" >&2' ERR"""]
    for block in blocks:
        if block.language in SHELL:
            lines += [f"block={block.line}", replaced(block.text, places)]
    return "\n".join(lines)


def replaced(text: str, places: dict[str, str]) -> str:
    """The text with the test's own addresses and folders."""
    for there, here in places.items():
        text = text.replace(there, here)
    return text
