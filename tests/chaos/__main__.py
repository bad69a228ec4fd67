"""`make chaos`, or `python -m tests.chaos`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import signal
import sys
import tempfile
from datetime import date
from pathlib import Path

from pouf_core.artifact import recorded_versions
from tests.chaos.run import Options, run


def main() -> int:
    """Print the report; 0 when nothing was lost, duplicated or different."""
    defaults = Options()
    parser = argparse.ArgumentParser(description="Hurt a real service in every way there is, and count what is lost.")
    parser.add_argument("--faults", type=int, default=defaults.faults, help="how many (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=defaults.jobs, help="least jobs to submit (default %(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="of faults and moments (default %(default)s)")
    parser.add_argument("--users", type=int, default=defaults.users, help="jobs at a time (default %(default)s)")
    parser.add_argument("--train-workers", type=int, default=defaults.train_workers, help="(default %(default)s)")
    parser.add_argument("--gap-seconds", type=float, default=defaults.gap_seconds, help="between faults, on average")
    parser.add_argument("--minutes", type=float, default=defaults.minutes, help="inject no longer than this")
    parser.add_argument(
        "--outage-minutes", type=float, default=defaults.outage_minutes, help="of database, storage and broker, each"
    )
    parser.add_argument(
        "--disk-mebibytes",
        type=int,
        default=4096,
        help="of the disk in memory that is filled, which has to hold all results: 2 MiB a job (default %(default)s)",
    )
    parser.add_argument("--postgres", action="store_true", help="PostgreSQL instead of SQLite")
    parser.add_argument("--s3", action="store_true", help="S3 as storage, and a worker on a host of its own")
    parser.add_argument("--without", action="append", default=[], metavar="FAULT", help="a kind to leave out")
    parser.add_argument("--only", action="append", default=[], metavar="FAULT", help="a kind to inject, and no other")
    parser.add_argument("--json", type=Path, help="also write the report there")
    parser.add_argument("--keep-logs", type=Path, help="copy the service's logs there at the end")
    chosen = vars(parser.parse_args())
    report_file, logs = chosen.pop("json"), chosen.pop("keep_logs")
    for number in (signal.SIGINT, signal.SIGTERM):  # either ends the service and lets go of the disk
        signal.signal(number, lambda *_: sys.exit(1))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    options = Options(**chosen | {name: tuple(chosen[name]) for name in ("only", "without")})
    with tempfile.TemporaryDirectory(prefix="pouf-chaos-", ignore_cleanup_errors=True) as folder:
        report = run(options, Path(folder), keep_logs=logs)
    sys.stdout.write(report.table() + "\n")
    if report_file is not None:
        machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "load": os.getloadavg()}
        record = {"date": str(date.today()), "hardware": machine, "versions": recorded_versions(), **report.as_dict()}
        report_file.write_text(json.dumps(record, indent=2) + "\n")
    return 0 if report.flawless else 1


if __name__ == "__main__":
    sys.exit(main())
