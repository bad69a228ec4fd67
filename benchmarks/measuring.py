"""What several benchmarks measure by: figures of a process of its own, whose memory starts from nothing."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any


def in_a_process(file: str, *options: str) -> dict[str, Any]:
    """The JSON object that a benchmark prints as its last line when it is run with these options.

    Raises:
        CalledProcessError: it failed.
    """
    done = subprocess.run([sys.executable, file, *options], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
