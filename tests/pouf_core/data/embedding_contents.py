"""Contents of files of embeddings, as other libraries write them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.numpy import save as save_tensors
from safetensors.torch import save as save_torch_tensors

from pouf_core.data.embedding_files import EmbeddingFile

VECTORS = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
LABELS = ["fox", "wren", ""] * 10
IDS = np.arange(30)
MIB = 1024**2
Read = Callable[..., EmbeddingFile]


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npz(save: Any = np.savez, **arrays: Any) -> bytes:
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def parquet(columns: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def lists(array: Any) -> Any:
    return pa.FixedSizeListArray.from_arrays(array.ravel(), array.shape[1])


def vectors_of(file: EmbeddingFile) -> np.ndarray[Any, Any]:
    return np.concatenate(list(file.blocks()))


FORMATS = {
    "npy": (".npy", npy(VECTORS), 0),
    "npy-fortran": (".npy", npy(np.asfortranarray(VECTORS)), 0),
    "npy-big-endian": (".npy", npy(VECTORS.astype(">f4")), 0),
    "npy-float64": (".npy", npy(VECTORS.astype(np.float64)), 0),
    "npy-float16": (".npy", npy(VECTORS.astype(np.float16)), 2e-3),
    "npz-stored": (".npz", npz(features=VECTORS), 0),
    "npz-packed-fortran": (".npz", npz(np.savez_compressed, any=np.asfortranarray(VECTORS)), 0),
    "safetensors": (".safetensors", save_tensors({"features": VECTORS}), 0),
    "safetensors-bfloat16": (".safetensors", save_torch_tensors({"x": torch.tensor(VECTORS).bfloat16()}), 2e-2),
    "safetensors-float16": (".safetensors", save_tensors({"x": VECTORS.astype(np.float16)}), 2e-3),
    "parquet-fixed-lists": (".parquet", parquet({"features": lists(VECTORS)}), 0),
    "parquet-lists": (".parquet", parquet({"any": [list(map(float, row)) for row in VECTORS]}), 0),
    "parquet-columns": (".parquet", parquet({f"{i}": VECTORS[:, i] for i in range(6)}), 0),
}
