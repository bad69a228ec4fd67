"""Parquet files of embeddings, read in a process of its own: their decoders are large and unpack what headers claim."""

from __future__ import annotations

import json
import logging
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pouf_core.data.beside_vectors import BESIDE_FILE
from pouf_core.data.limited_process import CLOCK_SECONDS_PER_CPU_SECOND, FEW_BYTES_AHEAD, describe_end
from pouf_core.data.sheets import require_parquet
from pouf_core.data.stored_arrays import CORRUPT, StoredArray
from pouf_core.data.tied_run import run_tied
from pouf_core.errors import InvalidInput

logger = logging.getLogger(__name__)

MODULE = "pouf_core.data.parquet_process"
#: A file may take as much again for every so many bytes.
BYTES_PER_ALLOWANCE = 32 * 1024**2
LOGGED_BYTES = 2000


@dataclass(frozen=True)
class ConvertedParquet:
    """What a parquet file held: the vectors, [n, d] in a file of the scratch directory; labels and names, if any."""

    array: StoredArray
    labels: list[str | None] | None
    names: list[str | None] | None


def convert_parquet(
    path: Path,
    scratch: Path,
    *,
    most_rows: int,
    most_columns: int,
    most_bytes: int,
    memory_bytes: int,
    cpu_seconds: float,
) -> ConvertedParquet:
    """Write the vectors of a parquet file into a scratch directory as plain numbers.

    Args:
        path: the file, with the vectors in a column of lists, named `features` or the only one; or with nothing but
            columns of numbers. A column `label` or `labels` holds evaluation labels, and one of texts or integers
            called `name`, `names`, `id` or `ids` what the vectors are called.
        scratch: a directory for what comes out.
        most_rows, most_columns: that the vectors may have.
        most_bytes: that they may take.
        memory_bytes, cpu_seconds: what reading may take; the time is for each 32 MiB of the file.

    Raises:
        InvalidInput: `parquet_not_installed`, `embedding_file_corrupt`, `embedding_file_too_large`, `several_arrays`,
            `embedding_shape`, `embedding_width`, `embedding_dtype`, `embedding_labels`.
    """
    require_parquet()
    seconds = cpu_seconds * (1 + path.stat().st_size // BYTES_PER_ALLOWANCE)
    numbers = (most_rows, most_columns, most_bytes, memory_bytes, seconds)
    try:
        ran = run_tied(
            MODULE,
            str(path),
            str(scratch),
            *map(str, numbers),
            seconds=seconds * CLOCK_SECONDS_PER_CPU_SECOND,
            variables=FEW_BYTES_AHEAD,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInput("embedding_file_too_large", f"Reading the file takes more than {seconds:g} s.") from error
    if ran.returncode:
        logger.warning("The reader of a parquet file ended: %s", ran.stderr[-LOGGED_BYTES:].decode(errors="replace"))
    return _converted(ran.stdout, ran.returncode, scratch)


def _converted(output: bytes, status: int, scratch: Path) -> ConvertedParquet:
    try:
        answer: dict[str, Any] = json.loads(output)
        if "code" in answer:
            raise InvalidInput(str(answer["code"]), str(answer["message"]))
        shape, dtype = (int(answer["rows"]), int(answer["width"])), np.dtype(str(answer["dtype"]))
        beside = json.loads((scratch / BESIDE_FILE).read_bytes())
    except (ValueError, KeyError, TypeError) as error:
        message = f"The file ends the process that reads it: {describe_end(status)}."
        raise InvalidInput(CORRUPT, message) from error
    path = scratch / "features.bin"
    array = StoredArray("features", path, 0, dtype, shape)
    array.check_size(path.stat().st_size)
    return ConvertedParquet(array, beside["labels"], beside["names"])
