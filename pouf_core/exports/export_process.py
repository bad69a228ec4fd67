"""The process that writes an export: `python -m pouf_core.exports.export_process`.

An `ExportTask` comes in as JSON, an `ExportOutcome` goes out. `pouf_core.exports.exporting` is the other side.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pouf_core.contract.exports import ExportOutcome, ExportTask
from pouf_core.errors import PoufError
from pouf_core.system.memory_limit import limit_host_memory

OUT_OF_MEMORY = "export_out_of_memory"
_OOM_SCORE = Path("/proc/self/oom_score_adj")


def main() -> None:
    """Answer once; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    task = ExportTask.model_validate_json(sys.stdin.buffer.read())
    if _OOM_SCORE.exists():
        _OOM_SCORE.write_text("1000")  # if memory runs out all the same, this process is the one to end
    limit_host_memory(task.memory_bytes)
    answers.write(_outcome(task).model_dump_json())
    answers.close()


def _outcome(task: ExportTask) -> ExportOutcome:
    from pouf_core.exports.export import export
    from pouf_core.system.memory import is_out_of_memory
    from pouf_core.system.runtime import use_threads

    use_threads(task.threads)
    try:
        export(task.artifact, task.target, task.options)
    except PoufError as error:
        return ExportOutcome(code=error.code, message=error.message)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        message = "Memory ran out: the export holds the base model up to three times."
        return ExportOutcome(code=OUT_OF_MEMORY, message=message)
    return ExportOutcome()


if __name__ == "__main__":
    main()
