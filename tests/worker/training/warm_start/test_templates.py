"""When there is a template, when it is fit for copies, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from store.settings import Settings
from tests.row_fixtures import ENDLESS as ENDLESS_METHOD
from tests.worker.training.warm_start.started import LINUX, ready
from worker.training.runner import run_job
from worker.training.template import BECOME, FORK
from worker.training.warm_start import WarmStart, warm_start_of


@LINUX
def test_template_and_copy_end_with_the_worker(
    context: Any, add_ready_dataset: Any, add_job: Any, database: Any, wait_for: Any
) -> None:
    job_id = add_job(add_ready_dataset(2), ENDLESS_METHOD)
    worker = os.fork()
    if worker == 0:
        database.engine.dispose(close=False)
        warm = WarmStart(FORK, "pouf-lite")
        ready(warm)
        run_job(context, job_id, warm_start=warm)
        os._exit(0)

    def family() -> list[psutil.Process]:
        found = psutil.Process(worker).children(recursive=True)
        return found if len(found) == 2 else []

    template, child = sorted(wait_for(family), key=lambda found: found.create_time())
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    wait_for(lambda: not template.is_running() and not child.is_running())


def test_a_template_with_a_second_thread_or_with_other_weights_is_unfit(tmp_path: Path) -> None:
    weights_file = tmp_path / "weights"
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from worker.training.prepared import Template, stamps\n"
        "template = Template('pouf-lite')\n"
        "print(template.unfit())\n"
        "thread = threading.Thread(target=(end := threading.Event()).wait)\n"
        "thread.start()\n"
        "print(template.unfit())\n"
        "end.set()\n"
        "while template.unfit():\n"
        "    thread.join()\n"
        "template.files.update(stamps([Path(sys.argv[1])]))\n"
        "print(template.unfit())\n"
        "Path(sys.argv[1]).write_bytes(b'other')\n"
        "print(template.unfit())\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(weights_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    fit, threads, still_fit, changed = done.stdout.splitlines()
    assert (fit, still_fit) == ("None", "None")
    assert "thread" in threads
    assert "changed" in changed


def test_an_operator_may_do_without(tmp_path: Path) -> None:
    assert warm_start_of(Settings(data_dir=tmp_path, device="cpu", warm_start=False)) is None
    assert warm_start_of(Settings(data_dir=tmp_path, device="cpu")) is not None


def test_where_a_gpu_may_be_no_process_is_copied(tmp_path: Path) -> None:
    warm = warm_start_of(Settings(data_dir=tmp_path, device="cuda"))
    assert warm is not None
    assert warm.mode == BECOME
