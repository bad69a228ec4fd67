"""The process that reads a sample of untrusted uploads: `python -m pouf_core.data.uploads.sample_process`.

A `SampleRequest` comes in as JSON, a `Sample` goes out. `pouf_core.data.uploads.sampling` is the other side. Pictures
and tables are read in processes of their own below it, as in ingestion.
"""

from __future__ import annotations

import sys

from pouf_core.contract.sample import SampleRequest
from pouf_core.data.limited_process import limit_with_children
from pouf_core.data.uploads.sample import read_sample

#: What is written to work with: texts that were read, or a packed file of embeddings.
FILE_BYTES = 2**30


def main() -> None:
    """Answer once."""
    request = SampleRequest.model_validate_json(sys.stdin.buffer.read())
    limit_with_children(request.limits.memory_bytes, FILE_BYTES)
    sys.stdout.write(read_sample(request).model_dump_json())


if __name__ == "__main__":
    main()
