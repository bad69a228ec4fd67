"""The hook that moves the service's clock."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from tests.chaos.clock import MovableClock


def test_the_clock_of_a_process_that_has_the_hook_moves_while_it_runs(tmp_path):
    clock = MovableClock(tmp_path / "clock")
    script = "from store.clock import utcnow\nwhile input(): print(utcnow().isoformat(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, **clock.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for offset in (0, 7200, -7200):
                clock.set(offset)
                process.stdin.write("now\n")
                process.stdin.flush()
                shown = datetime.fromisoformat(process.stdout.readline().strip())
                expected = datetime.now(UTC) + timedelta(seconds=offset)
                assert abs(shown - expected) < timedelta(minutes=1)
        finally:
            process.kill()
