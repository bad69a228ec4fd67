"""Writing exports in processes of their own, whose memory goes with them. Imports no torch."""

from __future__ import annotations

import os

from pouf_core.contract.exports import ExportOutcome, ExportTask
from pouf_core.data.asked_process import Unanswered, ask
from pouf_core.data.limited_process import describe_end
from pouf_core.errors import PoufError, TimedOut

MODULE = "pouf_core.exports.export_process"
FAILED = "export_failed"
TIMED_OUT = "export_timed_out"
LONGEST_SECONDS = 1800.0
#: Where transformers and open_clip look for models that were fetched before, and by which certificates.
_OF_MODELS = ("HOME", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TORCH_HOME", "XDG_CACHE_HOME", "SSL_CERT_FILE")


def export_apart(task: ExportTask) -> None:
    """Write an export; the process has none of the service's settings and secrets.

    Raises:
        TimedOut: `export_timed_out`: it took too long, or stood still.
        PoufError: `export_failed` where the process ended; or with the code of what `export` raises.
    """
    kept = {name: os.environ[name] for name in _OF_MODELS if name in os.environ}
    try:
        outcome = ask(MODULE, task, ExportOutcome, seconds=LONGEST_SECONDS, variables=kept)
    except Unanswered as error:
        if error.status is None:
            message = f"Writing the export stood still, or takes more than {LONGEST_SECONDS:g} s; ask again."
            raise TimedOut(TIMED_OUT, message) from error
        raise PoufError(FAILED, f"The process that writes exports ended: {describe_end(error.status)}.") from error
    if outcome.code is not None:
        raise PoufError(outcome.code, outcome.message)
