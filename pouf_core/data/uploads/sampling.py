"""Reading a sample of untrusted uploads in a process of its own, which has none of the service's secrets."""

from __future__ import annotations

import logging
import subprocess
import sys

from pydantic import ValidationError

from pouf_core.contract.sample import Sample, SampleRequest
from pouf_core.data.limited_process import describe_end, environment
from pouf_core.errors import InvalidInput

logger = logging.getLogger(__name__)

MODULE = "pouf_core.data.uploads.sample_process"
UNREADABLE = "sample_unreadable"
#: For starting, and for the one file that is being read when the time for reading is up.
MORE_SECONDS = 30.0
_LOGGED_BYTES = 2000


def take_sample(request: SampleRequest) -> Sample:
    """What a dataset of these files would be.

    Raises:
        InvalidInput: `sample_unreadable`: the files end the process that reads them, or take too long.
    """
    seconds = request.limits.seconds + MORE_SECONDS
    try:
        ran = subprocess.run(
            [sys.executable, "-m", MODULE],
            input=request.model_dump_json().encode(),
            capture_output=True,
            env=environment() | {"TMPDIR": str(request.scratch)},  # whose owner removes what a killed process left
            start_new_session=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(UNREADABLE, f"Reading a sample takes more than {seconds:g} s.") from error
    try:
        return Sample.model_validate_json(ran.stdout)
    except ValidationError as error:
        logger.warning("The reader of a sample ended: %s", ran.stderr[-_LOGGED_BYTES:].decode(errors="replace"))
        message = f"The files end the process that reads a sample: {describe_end(ran.returncode)}."
        raise InvalidInput(UNREADABLE, message) from error
