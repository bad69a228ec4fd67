"""Files of embeddings that are damaged, packed too well, or hold more than numbers."""

from __future__ import annotations

import io
import pickle
import struct
import zlib

import numpy as np
from safetensors.numpy import save

from tests.worker.hostile.case import ACCEPTED, DUPLICATE, Case
from tests.worker.hostile.zips import zipped

WIDTH = 4
CORRUPT = {"embedding_file_corrupt": 1}


def vectors(tag: str, count: int = 3) -> np.ndarray:
    """Vectors that differ from tag to tag."""
    return np.random.default_rng(zlib.crc32(tag.encode())).standard_normal((count, WIDTH)).astype(np.float32)


def npy(array: object, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=pickled)
    return stream.getvalue()


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{name: np.asarray(array) for name, array in arrays.items()})
    return stream.getvalue()


def packed(array: object) -> bytes:
    return zipped(("features.npy", npy(array)))


def declared(shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def rows_with(tag: str, *values: float) -> bytes:
    return npy(np.concatenate([vectors(tag), *(np.full((1, WIDTH), value, np.float32) for value in values)]))


OBJECTS = np.array([{"a": 1}, None], dtype=object)
CASES = [
    Case("npy-good", ".npy", lambda tag: npy(vectors(tag)), {ACCEPTED: 3}),
    Case(
        "npy-nan-inf-zero",
        ".npy",
        lambda tag: rows_with(tag, np.nan, np.inf, 0),
        {ACCEPTED: 3, "embedding_not_finite": 2, "embedding_zero": 1},
    ),
    Case("npy-equal-rows", ".npy", lambda tag: npy(np.tile(vectors(tag, 1), (5, 1))), {ACCEPTED: 1, DUPLICATE: 4}),
    Case("npy-huge-numbers", ".npy", lambda tag: npy(vectors(tag).astype(np.float64) * 1e300), {ACCEPTED: 3}),
    Case("npy-tiny-numbers", ".npy", lambda tag: npy(vectors(tag).astype(np.float64) * 1e-300), {ACCEPTED: 3}),
    Case("npy-objects", ".npy", lambda tag: npy(OBJECTS, pickled=True), {"pickled_array": 1}),
    Case("npy-pickle", ".npy", lambda tag: pickle.dumps(tag), CORRUPT),
    Case("npy-declares-terabytes", ".npy", lambda tag: declared("(1000000, 1000000)", tag.encode()), CORRUPT),
    Case("npy-declares-less", ".npy", lambda tag: declared("(1, 1)", tag.encode() * 9), CORRUPT),
    Case("npy-other-width", ".npy", lambda tag: npy(np.ones((2, 9))), {"embedding_width": 1}),
    Case("npy-no-rows", ".npy", lambda tag: npy(np.ones((0, WIDTH))), {"embedding_shape": 1}),
    Case("npz-good", ".npz", lambda tag: npz(features=vectors(tag), other=OBJECTS.size), {ACCEPTED: 3}),
    Case("npz-objects", ".npz", lambda tag: npz(features=OBJECTS), {"pickled_array": 1}),
    Case("npz-several", ".npz", lambda tag: npz(a=vectors(tag), b=vectors(tag)), {"several_arrays": 1}),
    Case(
        "npz-bomb",
        ".npz",
        lambda tag: packed(np.zeros((2_000_000, WIDTH), np.float32)),
        {"embedding_file_too_large": 1},
    ),
    Case("npz-is-a-picture", ".npz", lambda tag: b"GIF89a" + tag.encode(), CORRUPT),
    Case("safetensors-good", ".safetensors", lambda tag: save({"x": vectors(tag)}), {ACCEPTED: 3}),
    Case("safetensors-cut", ".safetensors", lambda tag: save({"x": vectors(tag)})[:-5], CORRUPT),
    Case("safetensors-endless", ".safetensors", lambda tag: struct.pack("<Q", 2**40) + tag.encode(), CORRUPT),
    Case("parquet-of-nothing", ".parquet", lambda tag: b"PAR1" + tag.encode() + b"PAR1", CORRUPT),
    Case("embeddings-are-a-text", ".txt", lambda tag: tag.encode(), {"unknown_embedding_file": 1}),
    Case(
        "embeddings-in-a-zip",
        ".zip",
        lambda tag: zipped((f"{tag}.npy", npy(vectors(tag))), (f"{tag}.exe", b"MZ")),
        {ACCEPTED: 3, "unknown_embedding_file": 1},
    ),
]
