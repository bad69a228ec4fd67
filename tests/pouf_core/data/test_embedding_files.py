"""Files of embeddings: every format gives the same vectors, and what is damaged, hostile or unclear is refused."""

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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save as save_tensors
from safetensors.torch import save as save_torch_tensors

from pouf_core.data import sheets
from pouf_core.data.embedding_files import EmbeddingFile, FileLimits, read_embeddings
from pouf_core.errors import InvalidInput

VECTORS = np.random.default_rng(0).standard_normal((30, 6)).astype(np.float32)
LABELS = ["fox", "wren", ""] * 10
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


def header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A `.npy` file with any header."""
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text) + 1)
    return b"\x93NUMPY" + version + size + text.encode() + b"\n" + data


def described(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(content: bytes, suffix: str, **limits: Any) -> EmbeddingFile:
        path = tmp_path / f"stored{suffix}"
        path.write_bytes(content)
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        given = {"rows": 10_000, "unpacked_bytes": 64 * MIB, "memory_bytes": 512 * MIB, "cpu_seconds": 20, **limits}
        return read_embeddings(path, f"vectors{suffix}", FileLimits(scratch=scratch, **given))

    return write_and_read


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


@pytest.mark.parametrize(("suffix", "content", "tolerance"), FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_vectors_in_order(read: Read, suffix: str, content: bytes, tolerance: float) -> None:
    file = read(content, suffix)
    assert (file.count, file.width, file.templates, file.labels) == (30, 6, None, None)
    np.testing.assert_allclose(vectors_of(file), VECTORS, atol=tolerance, rtol=0)
    assert file.name_of(17) == "17"


def test_integers_are_vectors_too(read: Read) -> None:
    np.testing.assert_array_equal(vectors_of(read(npy([[1, -2], [3, 4]]), ".npy")), [[1, -2], [3, 4]])


IDS = np.arange(30)
BESIDE = {
    "npz": (".npz", npz(ids=IDS, emb=VECTORS, names=np.array(list("abc") * 10), tokens=IDS.reshape(15, 2))),
    "npz-packed-objects": (".npz", npz(np.savez_compressed, names=np.array(["a"] * 30, dtype=object), emb=VECTORS)),
    "npz-floats-of-one-dimension": (".npz", npz(emb=VECTORS, norms=VECTORS[:, 0], scale=np.float32(100))),
    "safetensors": (".safetensors", save_tensors({"ids": IDS, "emb": VECTORS, "norms": VECTORS[:, 0].copy()})),
}


@pytest.mark.parametrize(("suffix", "content"), BESIDE.values(), ids=BESIDE)
def test_ids_and_names_beside_the_only_vectors_are_not_read(read: Read, suffix: str, content: bytes) -> None:
    file = read(content, suffix)
    assert (file.array.name, file.labels) == ("emb", None)
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


@pytest.mark.parametrize("order", ["C", "F"])
def test_three_dimensions_are_templates_and_classes(read: Read, order: Any) -> None:
    file = read(npy(np.array(VECTORS.reshape(3, 10, 6), order=order)), ".npy")
    assert (file.count, file.width, file.templates, file.name_of(17)) == (30, 6, 3, "1,7")
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


LABELLED = {
    "npz": (".npz", npz(features=VECTORS, labels=np.array(LABELS), ids=np.arange(3))),
    "parquet": (".parquet", parquet({"features": lists(VECTORS), "label": LABELS, "id": list(range(30))})),
}


@pytest.mark.parametrize(("suffix", "content"), LABELLED.values(), ids=LABELLED)
def test_labels_stand_beside_the_vectors(read: Read, suffix: str, content: bytes) -> None:
    file = read(content, suffix)
    assert file.labels == ["fox", "wren", None] * 10
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


NAMED = {
    "npz": (".npz", npz(features=VECTORS, labels=np.array(LABELS), names=np.array(["a.jpg", "", " c "] * 10))),
    "npz-bytes": (".npz", npz(np.savez_compressed, emb=VECTORS, ids=np.array([b"a.jpg", b"", b"c"] * 10))),
    "parquet": (".parquet", parquet({"features": lists(VECTORS), "id": ["a.jpg", None, "c"] * 10})),
    "parquet-columns": (".parquet", parquet({"name": ["a.jpg", "", "c"] * 10, "x": VECTORS[:, 0], "y": VECTORS[:, 1]})),
}


@pytest.mark.parametrize(("suffix", "content"), NAMED.values(), ids=NAMED)
def test_names_stand_beside_the_vectors(read: Read, suffix: str, content: bytes) -> None:
    file = read(content, suffix)
    assert file.names == ["a.jpg", None, "c"] * 10
    np.testing.assert_array_equal(vectors_of(file), VECTORS[:, : file.width])


def test_numbers_are_names_too_and_no_part_of_the_vectors(read: Read) -> None:
    numbers = [7 * number for number in range(30)]
    columns = {"id": numbers, "x": VECTORS[:, 0], "y": VECTORS[:, 1]}
    for suffix, content in [
        (".safetensors", save_tensors({"emb": VECTORS[:, :2].copy(), "ids": np.array(numbers)})),
        (".parquet", parquet(columns)),
    ]:
        file = read(content, suffix)
        assert file.names == [str(number) for number in numbers]
        np.testing.assert_array_equal(vectors_of(file), VECTORS[:, :2])


NO_NAMES = {
    "too-few": np.arange(29),
    "floats": np.zeros(30),
    "objects": np.array(["a"] * 30, dtype=object),
    "a-table": np.zeros((30, 2), dtype=int),
}


@pytest.mark.parametrize("ids", NO_NAMES.values(), ids=NO_NAMES)
def test_what_names_no_vectors_is_not_read(read: Read, ids: Any) -> None:
    file = read(npz(features=VECTORS, ids=ids), ".npz")
    assert file.names is None
    np.testing.assert_array_equal(vectors_of(file), VECTORS)


def test_integer_labels_are_read_as_text(read: Read) -> None:
    file = read(save_tensors({"features": VECTORS, "labels": np.arange(30)}), ".safetensors")
    assert file.labels == [str(number) for number in range(30)]


def test_labels_that_are_no_text_are_shown_as_they_can_be_or_refused(read: Read) -> None:
    codes = np.array([[0xD800, 65], [0xFFFD, 0]], dtype="<u4")
    content = npz(features=VECTORS[:2], labels=codes.view("<U2").ravel())
    assert read(content, ".npz").labels == ["?A", "\ufffd"]
    codes[0, 0] = 0xFFFFFFF
    with pytest.raises(InvalidInput) as error:
        read(npz(features=VECTORS[:2], labels=codes.view("<U2").ravel()), ".npz")
    assert error.value.code == "embedding_labels"


def test_what_is_null_in_a_parquet_file_is_not_a_number(read: Read) -> None:
    rows = vectors_of(read(parquet({"features": [[1.0, 2.0], None, [3.0, None]]}), ".parquet"))
    np.testing.assert_array_equal(rows, [[1, 2], [np.nan, np.nan], [3, np.nan]])


UNPICKLED = Path(tempfile.gettempdir()) / "pouf-unpickled"


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
def test_what_cannot_be_used_is_refused_with_its_reason(read: Read, suffix: str, content: bytes, code: str) -> None:
    tracemalloc.start()
    with pytest.raises(InvalidInput) as error:
        read(content, suffix)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.value.code == code
    assert peak < 16 * MIB
    assert not UNPICKLED.exists()


def test_several_arrays_and_a_row_of_another_width_are_named(read: Read) -> None:
    for suffix, content, names in [
        (".npz", REFUSED["npz-several"][1], ["first", "second"]),
        (".parquet", REFUSED["parquet-widths"][1], ["Row 2"]),
    ]:
        with pytest.raises(InvalidInput) as error:
            read(content, suffix)
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
    read: Read, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"vectors{suffix}").write_text(ELSEWHERE[suffix])
    with pytest.raises(InvalidInput) as error:
        read(ELSEWHERE[suffix].encode(), suffix)
    assert error.value.code == "unknown_embedding_file"
    (advice,) = re.findall(r"numpy\.save\(.*\)", error.value.message)
    exec(advice, {"numpy": np, "json": json})
    np.testing.assert_array_equal(vectors_of(read(Path("vectors.npy").read_bytes(), ".npy")), VECTORS.astype(float))


def bomb() -> bytes:
    """A `.npz` that unpacks to a thousand times its size."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", npy(np.zeros((5000, 4096), dtype=np.float32)))
    return stream.getvalue()


def test_a_packed_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(read: Read, tmp_path: Path) -> None:
    content = bomb()
    assert len(content) < MIB
    with pytest.raises(InvalidInput) as error:
        read(content, ".npz")
    assert error.value.code == "embedding_file_too_large"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_parquet_file_that_unpacks_to_too_much_ends_its_reader_alone(read: Read) -> None:
    zeros = pa.FixedSizeListArray.from_arrays(np.zeros(9_000 * 2048, dtype=np.float32), 2048)
    content = parquet({"features": zeros})
    assert len(content) < MIB
    for limits in ({"unpacked_bytes": 16 * MIB}, {"cpu_seconds": 1e-3}):
        with pytest.raises(InvalidInput) as error:
            read(content, ".parquet", **limits)
        assert error.value.code in ("embedding_file_too_large", "embedding_file_corrupt")


def test_without_pyarrow_a_parquet_file_is_refused_with_what_to_install(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput) as error:
        read(FORMATS["parquet-lists"][1], ".parquet")
    assert error.value.code == "parquet_not_installed"
    assert "pouf-service[parquet]" in error.value.message


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_a_file_with_any_bytes_changed_is_read_or_refused(read: Read, suffix: str) -> None:
    randomness = random.Random(suffix)
    contents = [content for own, content, _ in FORMATS.values() if own == suffix]
    for _ in range(400):
        content = bytearray(randomness.choice(contents))
        for _ in range(randomness.choice([1, 2, 8])):
            place = randomness.randrange(len(content) if randomness.random() < 0.5 else min(150, len(content)))
            content[place : place + randomness.randrange(3)] = randomness.randbytes(randomness.randrange(4))
        try:
            file = read(bytes(content), suffix)
            assert len(vectors_of(file)) == file.count
        except InvalidInput as error:
            assert error.code in {code for *_, code in REFUSED.values()}


def test_a_large_file_takes_a_block_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    large = np.lib.format.open_memmap(path, "w+", np.float32, (100_000, 512))
    large[:, 0] = 1
    del large
    limits = FileLimits(10**6, MIB, tmp_path, 512 * MIB, 20)
    tracemalloc.start()
    assert sum(float(block.sum()) for block in read_embeddings(path, path.name, limits).blocks()) == 100_000
    assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    tracemalloc.stop()


def test_of_a_packed_file_no_more_is_unpacked_than_is_wanted(tmp_path: Path) -> None:
    vectors, labels = np.arange(4000, dtype=np.float32).reshape(1000, 4) + 1, np.arange(1000)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, features=vectors, labels=labels)
    room = 10_000  # for the labels, and not for all vectors
    limits = FileLimits(10**6, room, tmp_path, 512 * MIB, 20, first_rows=50)
    found = read_embeddings(path, path.name, limits)
    assert (found.count, found.labels) == (50, [str(number) for number in range(50)])
    assert (vectors_of(found) == vectors[:50]).all()
    with pytest.raises(InvalidInput) as caught:
        read_embeddings(path, path.name, replace(limits, first_rows=None))
    assert caught.value.code == "embedding_file_too_large"
    np.savez_compressed(path, features=vectors, labels=labels[1:])
    with pytest.raises(InvalidInput, match="999 labels for 1,000 vectors"):
        read_embeddings(path, path.name, limits)
