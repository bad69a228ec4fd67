"""Where the tensors of an untrusted safetensors file lie."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from pouf_core.data.stored_arrays import CORRUPT, StoredArray
from pouf_core.errors import InvalidInput

_LONGEST_HEADER = 8 * 1024**2
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
}


class SafetensorsFile:
    """The header of a safetensors file.

    Args:
        path: the file.

    Raises:
        InvalidInput: `embedding_file_corrupt`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                if length > _LONGEST_HEADER:
                    raise ValueError("its header is too long")
                header = json.loads(stream.read(length))
            with safe_open(path, "np"):  # checks the header, and that the tensors lie within the file
                pass
        except (SafetensorError, ValueError, RecursionError, struct.error) as error:
            raise InvalidInput(CORRUPT, f"The file is no safetensors file: {error}.") from error
        header.pop("__metadata__", None)
        self.entries: Mapping[str, Any] = header
        self._data = 8 + length

    def array(self, name: str) -> StoredArray:
        """One of its tensors.

        Raises:
            InvalidInput: `embedding_dtype` of a type that numpy lacks, or `embedding_file_corrupt`.
        """
        entry = self.entries[name]
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            message = f"{name} holds {entry['dtype']}; save float32, another float or an integer type."
            raise InvalidInput("embedding_dtype", message)
        start, end = entry["data_offsets"]
        array = StoredArray(
            name,
            self._path,
            self._data + start,
            np.dtype(dtype),
            tuple(entry["shape"]),
            bfloat16=entry["dtype"] == "BF16",
        )
        array.check_size(end - start)
        return array
