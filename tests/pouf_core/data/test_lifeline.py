"""Processes end with the one that started them, also where that one is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.waiting import WAIT_SECONDS, wait_for

ROOT = Path(__file__).parents[3]
#: Their processes live as long as standard input, or a socket, is open.
BY_A_PIPE_OF_THEIR_OWN = {
    "pouf_core/data/decoder.py",
    "worker/training/helpers.py",
    "worker/training/process.py",
    "worker/training/warm_start.py",
}
EXPORT = """
import sys
from pouf_core.contract.exports import ExportTask
from pouf_core.exports.exporting import export_apart
export_apart(ExportTask.model_validate_json(sys.argv[1]))
"""


def started_by(source: str, *arguments: str) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """A process that runs the source, and the one that it starts."""
    parent = subprocess.Popen([sys.executable, "-c", source, *arguments], stderr=subprocess.DEVNULL, cwd=ROOT)
    return parent, wait_for(psutil.Process(parent.pid).children)[0]


def test_a_process_ends_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pouf.json")  # nobody writes there: who reads it never ends by itself
    task = {"artifact": str(tmp_path), "target": str(tmp_path / "t"), "options": {"format": "numpy"}}
    parent, child = started_by(EXPORT, json.dumps(task))
    with parent:
        parent.kill()
    child.wait(WAIT_SECONDS)


def test_no_module_starts_a_process_that_would_be_left_behind() -> None:
    starting = {
        str(path.relative_to(ROOT))
        for package in ("app", "pouf_core", "worker")
        for path in (ROOT / package).rglob("*.py")
        if "subprocess.run(" in (text := path.read_text()) or "subprocess.Popen(" in text
        if "tied(" not in text
    }
    assert starting == BY_A_PIPE_OF_THEIR_OWN
