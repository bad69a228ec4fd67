"""The process that reads a sample of untrusted uploads: `python -m pouf_core.data.uploads.sample_process`.

A `SampleRequest` comes in as JSON, a `Sample` goes out. `pouf_core.data.uploads.sampling` is the other side. Pictures
and tables are read in processes of their own below it, as in ingestion.
"""

from __future__ import annotations

import logging
import sys

from pouf_core.contract.sample import SampleRequest
from pouf_core.data.limited_process import UNAVAILABLE, ReaderUnavailable, is_of_the_system, limit_with_children
from pouf_core.data.uploads.sample import read_sample

logger = logging.getLogger(__name__)

#: What is written to work with: texts that were read, or a packed file of embeddings.
FILE_BYTES = 2**30


def main() -> None:
    """Answer once."""
    request = SampleRequest.model_validate_json(sys.stdin.buffer.read())
    limit_with_children(request.limits.memory_bytes, FILE_BYTES)
    try:
        sample = read_sample(request)
    except Exception as error:
        if not isinstance(error, ReaderUnavailable) and not is_of_the_system(error):
            raise
        logger.exception("No file can be read.")
        sys.exit(UNAVAILABLE)
    sys.stdout.write(sample.model_dump_json())


if __name__ == "__main__":
    main()
