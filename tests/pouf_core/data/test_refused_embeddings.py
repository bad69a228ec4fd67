"""What is damaged, hostile or unclear in a file of embeddings is refused, and says why."""

from __future__ import annotations

import io
import json
import pickle
import random
import re
import struct
import tempfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.numpy import save as save_tensors
from safetensors.torch import save as save_torch_tensors

from pouf_core.data import sheets
from pouf_core.errors import InvalidInput
from tests.pouf_core.data.embedding_contents import (
    FORMATS,
    IDS,
    LABELS,
    MIB,
    VECTORS,
    Read,
    lists,
    npy,
    npz,
    parquet,
    vectors_of,
)

UNPICKLED = Path(tempfile.gettempdir()) / "pouf-unpickled"


def header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A `.npy` file with any header."""
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text) + 1)
    return b"\x93NUMPY" + version + size + text.encode() + b"\n" + data


def described(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def zipped_labels(text: str) -> bytes:
    """A `.npz` whose labels have any header."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("features.npy", npy(VECTORS))
        archive.writestr("labels.npy", header(text))
    return stream.getvalue()


class Explosive:
    """What would write a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (UNPICKLED,))


OBJECTS = np.array([Explosive(), None], dtype=object)
STRUCTURED = np.zeros(4, dtype=[("a", "<f4"), ("b", "<f4")])
REFUSED = {
    "npy-objects": (".npy", npy(OBJECTS), "pickled_array"),
    "npy-pickle-alone": (".npy", pickle.dumps(Explosive()), "embedding_file_corrupt"),
    "npz-objects": (".npz", npz(features=OBJECTS), "pickled_array"),
    "npz-object-labels": (".npz", npz(features=VECTORS, labels=np.array(LABELS, dtype=object)), "pickled_array"),
    "npy-objects-inside": (".npy", npy(np.zeros(2, dtype=[("a", object)])), "pickled_array"),
    "npz-several": (".npz", npz(first=VECTORS, second=VECTORS), "several_arrays"),
    "npz-integers-several": (".npz", npz(ids=np.arange(30), counts=np.ones((30, 6), dtype=int)), "several_arrays"),
    "npz-one-damaged-of-several": (
        ".npz",
        npz(first=VECTORS, second=IDS).replace(npy(VECTORS)[:8], bytes(8)),
        "embedding_file_corrupt",
    ),
    "safetensors-several": (".safetensors", save_tensors({"first": VECTORS, "second": VECTORS}), "several_arrays"),
    "parquet-several": (".parquet", parquet({"a": lists(VECTORS), "b": lists(VECTORS)}), "several_arrays"),
    "npz-none": (".npz", npz(), "embedding_shape"),
    "npz-labels-alone": (".npz", npz(labels=np.arange(3)), "embedding_shape"),
    "npy-one-dimension": (".npy", npy(VECTORS[0]), "embedding_shape"),
    "npy-four-dimensions": (".npy", npy(VECTORS.reshape(5, 2, 3, 6)), "embedding_shape"),
    "npy-scalar": (".npy", npy(1.0), "embedding_shape"),
    "npy-no-rows": (".npy", npy(VECTORS[:0]), "embedding_shape"),
    "npy-no-columns": (".npy", npy(VECTORS[:, :0]), "embedding_shape"),
    "npy-too-wide": (".npy", npy(np.zeros((1, 20_000), dtype=np.float32)), "embedding_shape"),
    "npy-too-many-rows": (".npy", npy(np.zeros((10_001, 1), dtype=np.float32)), "embedding_file_too_large"),
    "npy-complex": (".npy", npy(VECTORS.astype(np.complex64)), "embedding_dtype"),
    "npy-texts": (".npy", npy([["a", "b"]]), "embedding_dtype"),
    "npy-booleans": (".npy", npy(VECTORS > 0), "embedding_dtype"),
    "npy-structured": (".npy", npy(STRUCTURED), "embedding_dtype"),
    "npy-empty": (".npy", b"", "empty_file"),
    "npy-cut": (".npy", npy(VECTORS)[:-1], "embedding_file_corrupt"),
    "npy-cut-in-its-header": (".npy", npy(VECTORS)[:60], "embedding_file_corrupt"),
    "npy-two-in-one": (".npy", npy(VECTORS) * 2, "embedding_file_corrupt"),
    "npy-other-magic": (".npy", b"GIF89a" + bytes(200), "embedding_file_corrupt"),
    "npy-declares-terabytes": (".npy", header(described("(1000000, 1000000)")), "embedding_file_corrupt"),
    "npy-overflowing": (".npy", header(described("(9223372036854775807, 4)")), "embedding_file_corrupt"),
    "npy-negative": (".npy", header(described("(-1, -4)"), bytes(16)), "embedding_file_corrupt"),
    "npy-code-for-a-header": (".npy", header("__import__('os').abort()"), "embedding_file_corrupt"),
    "npy-deep-header": (".npy", header("(" * 5000), "embedding_file_corrupt"),
    "npy-endless-header": (".npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * MIB, "embedding_file_corrupt"),
    "npy-huge-type": (".npy", header(described("(1, 1)", "'<U999999999'")), "embedding_file_corrupt"),
    "npz-no-zip": (".npz", npy(VECTORS), "embedding_file_corrupt"),
    "npz-cut": (".npz", npz(features=VECTORS)[:-40], "embedding_file_corrupt"),
    "npz-damaged": (".npz", npz(features=VECTORS).replace(VECTORS[9].tobytes(), bytes(24)), "embedding_file_corrupt"),
    "npz-labels-too-few": (".npz", npz(features=VECTORS, labels=np.arange(29)), "embedding_labels"),
    "npz-labels-floats": (".npz", npz(features=VECTORS, labels=np.zeros(30)), "embedding_labels"),
    "npz-labels-of-no-letters": (".npz", zipped_labels(described("(30,)", "'<U0'")), "embedding_labels"),
    "npz-labels-long": (".npz", npz(features=VECTORS, labels=np.array(["x" * 600] * 30)), "embedding_labels"),
    "safetensors-cut": (".safetensors", save_tensors({"x": VECTORS})[:-1], "embedding_file_corrupt"),
    "safetensors-endless-header": (".safetensors", struct.pack("<Q", 2**62) + bytes(99), "embedding_file_corrupt"),
    "safetensors-no-header": (".safetensors", b"{}", "embedding_file_corrupt"),
    "safetensors-float8": (
        ".safetensors",
        save_torch_tensors({"x": torch.zeros(2, 2).to(torch.float8_e4m3fn)}),
        "embedding_dtype",
    ),
    "parquet-cut": (".parquet", parquet({"features": lists(VECTORS)})[:-9], "embedding_file_corrupt"),
    "parquet-texts": (".parquet", parquet({"text": ["a", "b"]}), "embedding_shape"),
    "parquet-widths": (".parquet", parquet({"features": [[1.0, 2.0], [3.0, 4.0], [5.0]]}), "embedding_width"),
    "parquet-labels": (".parquet", parquet({"features": lists(VECTORS), "label": [1.5] * 30}), "embedding_labels"),
    "another-suffix": (".pkl", pickle.dumps(VECTORS), "unknown_embedding_file"),
}


@pytest.mark.parametrize(("suffix", "content", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_with_its_reason(
    read_vectors: Read, suffix: str, content: bytes, code: str
) -> None:
    tracemalloc.start()
    with pytest.raises(InvalidInput) as error:
        read_vectors(content, suffix)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.value.code == code
    assert peak < 16 * MIB
    assert not UNPICKLED.exists()


def test_several_arrays_and_a_row_of_another_width_are_named(read_vectors: Read) -> None:
    for suffix, content, names in [
        (".npz", REFUSED["npz-several"][1], ["first", "second"]),
        (".parquet", REFUSED["parquet-widths"][1], ["Row 2"]),
    ]:
        with pytest.raises(InvalidInput) as error:
            read_vectors(content, suffix)
        assert all(name in error.value.message for name in names)


ELSEWHERE = {
    ".csv": "\n".join(",".join(map(str, row)) for row in VECTORS.tolist()),
    ".tsv": "\n".join("\t".join(map(str, row)) for row in VECTORS.tolist()),
    ".txt": "\n".join(" ".join(map(str, row)) for row in VECTORS.tolist()),
    ".jsonl": "".join(json.dumps({"id": "a", "embedding": row}) + "\n" for row in VECTORS.tolist()),
    ".json": json.dumps(VECTORS.tolist()),
}


@pytest.mark.parametrize("suffix", ELSEWHERE)
def test_vectors_in_another_file_are_saved_as_its_refusal_says(
    read_vectors: Read, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"vectors{suffix}").write_text(ELSEWHERE[suffix])
    with pytest.raises(InvalidInput) as error:
        read_vectors(ELSEWHERE[suffix].encode(), suffix)
    assert error.value.code == "unknown_embedding_file"
    (advice,) = re.findall(r"numpy\.save\(.*\)", error.value.message)
    exec(advice, {"numpy": np, "json": json})
    saved = read_vectors(Path("vectors.npy").read_bytes(), ".npy")
    np.testing.assert_array_equal(vectors_of(saved), VECTORS.astype(float))


def bomb() -> bytes:
    """A `.npz` that unpacks to a thousand times its size."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", npy(np.zeros((5000, 4096), dtype=np.float32)))
    return stream.getvalue()


def test_a_packed_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    read_vectors: Read, tmp_path: Path
) -> None:
    content = bomb()
    assert len(content) < MIB
    with pytest.raises(InvalidInput) as error:
        read_vectors(content, ".npz")
    assert error.value.code == "embedding_file_too_large"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_parquet_file_that_unpacks_to_too_much_ends_its_reader_alone(read_vectors: Read) -> None:
    zeros = pa.FixedSizeListArray.from_arrays(np.zeros(9_000 * 2048, dtype=np.float32), 2048)
    content = parquet({"features": zeros})
    assert len(content) < MIB
    for limits in ({"unpacked_bytes": 16 * MIB}, {"cpu_seconds": 1e-3}):
        with pytest.raises(InvalidInput) as error:
            read_vectors(content, ".parquet", **limits)
        assert error.value.code in ("embedding_file_too_large", "embedding_file_corrupt")


def test_without_pyarrow_a_parquet_file_is_refused_with_what_to_install(
    read_vectors: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput) as error:
        read_vectors(FORMATS["parquet-lists"][1], ".parquet")
    assert error.value.code == "parquet_not_installed"
    assert "pouf-service[parquet]" in error.value.message


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_a_file_with_any_bytes_changed_is_read_or_refused(read_vectors: Read, suffix: str) -> None:
    randomness = random.Random(suffix)
    contents = [content for own, content, _ in FORMATS.values() if own == suffix]
    for _ in range(400):
        content = bytearray(randomness.choice(contents))
        for _ in range(randomness.choice([1, 2, 8])):
            place = randomness.randrange(len(content) if randomness.random() < 0.5 else min(150, len(content)))
            content[place : place + randomness.randrange(3)] = randomness.randbytes(randomness.randrange(4))
        try:
            file = read_vectors(bytes(content), suffix)
            assert len(vectors_of(file)) == file.count
        except InvalidInput as error:
            assert error.code in {code for *_, code in REFUSED.values()}
