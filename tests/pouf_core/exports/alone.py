"""Runs a script in a process that cannot import this project: `python -I` with a hook that refuses its packages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.waiting import WAIT_SECONDS

REFUSED = ("pouf_core", "pouf_client", "client", "app", "store", "worker", "cli")
#: torchvision cannot be imported beside a PyTorch without CUDA unless its operators are declared.
_RUNNER = f"""
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {REFUSED}:
            raise ImportError("this process may not import " + name)
sys.meta_path.insert(0, Refuse())
if "--torchvision" in sys.argv:
    sys.argv.remove("--torchvision")
    import torch
    if not torch.cuda.is_available():
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_alone(script: Path, *arguments: str, folder: Path, torchvision: bool = False) -> list[dict[str, Any]]:
    """The lines of JSON that a script prints, run in a folder."""
    options = ["--torchvision"] if torchvision else []
    ran = subprocess.run(
        [sys.executable, "-I", "-c", _RUNNER, str(script), *arguments, *options],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]
