"""A process that trains an item encoder for a job's process.

`python -m worker.training.helper SPEC_FILE MEETING RANK PROCESSES`, started by `worker.training.helpers`. It lives only
as long as its stdin is open.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from worker.training.child import StopRequest, listen, target_data
from worker.training.messages import JobSpec


def main(spec_file: str, meeting: str, rank: str, processes: str) -> None:
    """Train for the job's process until it ends."""
    from pouf_core.adaptation.options import RunOptions
    from pouf_core.adaptation.parallel import process_group
    from pouf_core.adaptation.run import help_with
    from pouf_core.system.memory import keep_freed_memory
    from pouf_core.system.runtime import choose_device

    threading.Thread(target=listen, args=(StopRequest(),), daemon=True, name="leader-pipe").start()
    spec = JobSpec.model_validate_json(Path(spec_file).read_bytes())
    device = spec.device
    if choose_device(device).type == "cpu":
        keep_freed_memory()
    else:
        device = f"cuda:{rank}"
    options = RunOptions(device=device, threads=spec.threads, deterministic=spec.deterministic, engine="torch")
    with process_group(Path(meeting), int(rank), int(processes), choose_device(device)):
        help_with(spec.request, target_data(spec), options)


if __name__ == "__main__":
    main(*sys.argv[1:])
