"""`make hostile`, or `python -m tests.hostile_load`: attacks of every kind at once on a real service."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import date
from pathlib import Path

from tests.hostile_load.attackers import NICENESS
from tests.hostile_load.load import MOST_LIVE_SECONDS, run


def main() -> int:
    """Print the figures; 0 when memory, answers and honest callers were as they should be."""
    parser = argparse.ArgumentParser(description="Attack a real service in every way at once, and see what it takes.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the attackers' choices (default %(default)s)")
    parser.add_argument(
        "--live-ms", type=float, default=1000 * MOST_LIVE_SECONDS, help="p99 of /health/live (default %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="also write the figures there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pouf-hostile-", ignore_cleanup_errors=True) as folder:
        figures = run(chosen.seconds, chosen.seed, Path(folder))
    hardware = {"machine": platform.machine(), "cpus": os.cpu_count(), "load": os.getloadavg()}
    record = {"date": str(date.today()), "hardware": hardware, "seconds": chosen.seconds, "seed": chosen.seed}
    record["setting"] = f"attackers on the service's cores, at a niceness {NICENESS} above the service's"
    failures = figures.failures(chosen.live_ms / 1000)
    record |= figures.summary() | {"failures": failures}
    sys.stdout.write(json.dumps(record, indent=2) + "\n")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(record, indent=2) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
