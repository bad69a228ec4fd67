"""The reaper's process goes on whatever it cannot do in a round."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_for

#: Root may look into every directory, unless it gives that up.
AS_OTHERS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.mark.skipif(bool(AS_OTHERS) and shutil.which("setpriv") is None, reason="root alone, and Linux, need it")
def test_a_data_directory_that_may_not_be_looked_into_ends_no_reaper(database: Any, tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    data.mkdir()
    environment = {
        **os.environ,
        "POUF_DATA_DIR": str(data),
        "POUF_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "POUF_REAPER_INTERVAL": "0.1",
        "POUF_OUTBOX_INTERVAL": "0.1",
        "POUF_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    command = [*AS_OTHERS, sys.executable, "-m", "worker.reaper"]
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stderr=output) as reaper:
        try:
            wait_for(lambda: "Reaper running" in log.read_text(), log.read_text)
            data.chmod(0)
            wait_for(lambda: log.read_text().count("A round failed") > 1 or reaper.poll() is not None, log.read_text)
            assert reaper.poll() is None, log.read_text()
        finally:
            data.chmod(0o700)
            reaper.kill()
