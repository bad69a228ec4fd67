"""Reading a sample of untrusted uploads in a process of its own, which has none of the service's secrets."""

from __future__ import annotations

from pouf_core.contract.sample import Sample, SampleRequest
from pouf_core.data.asked_process import Unanswered, ask
from pouf_core.data.limited_process import UNAVAILABLE, ReaderUnavailable, describe_end
from pouf_core.errors import InvalidInput

MODULE = "pouf_core.data.uploads.sample_process"
UNREADABLE = "sample_unreadable"
#: For starting, and for the one file that is being read when the time for reading is up, on a busy machine too.
MORE_SECONDS = 115.0


def take_sample(request: SampleRequest) -> Sample:
    """What a dataset of these files would be.

    Raises:
        InvalidInput: `sample_unreadable`: the files end the process that reads them.
        ReaderUnavailable: no file can be read, or the machine is too busy: each file has limits of its own before.
    """
    seconds = request.limits.seconds + MORE_SECONDS
    scratch = {"TMPDIR": str(request.scratch)}  # whose owner removes what a killed process left
    try:
        return ask(MODULE, request, Sample, seconds=seconds, variables=scratch)
    except Unanswered as error:
        if error.status is None:
            raise ReaderUnavailable(f"Reading a sample stood still, or took more than {seconds:g} s.") from error
        if error.status == UNAVAILABLE:
            raise ReaderUnavailable("The process that reads samples lacks what it works with.") from error
        message = f"The files end the process that reads a sample: {describe_end(error.status)}."
        raise InvalidInput(UNREADABLE, message) from error
