"""Tables of pictures as Hugging Face's `datasets`, pandas and Spark write them, and what comes out of each."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.corpus.archives import JUNK, Archive, pictures

NAMES = ("a.png", "b.png", "c.png", "d.png")
FILES = tuple(pictures(*NAMES).values())
CLASSES = ["cat", "red panda"]
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
#: Of a table called so, its rows.
ROWS = tuple(f"a.parquet:{row}" for row in range(1, 5))


def of_datasets(
    files: Sequence[bytes | None] = FILES,
    paths: Sequence[str | None] = NAMES,
    labels: Sequence[int] = (0, 1, 1, 0),
    **others: Sequence[Any],
) -> pa.Table:
    """What `datasets` writes of the features `Image` and `ClassLabel`, its metadata included."""
    features = {"image": {"_type": "Image"}, "label": {"names": CLASSES, "_type": "ClassLabel"}}
    features |= {name: {"names": CLASSES, "_type": "ClassLabel"} for name in others}
    images = [{"bytes": content, "path": path} for content, path in zip(files, paths, strict=True)]
    columns = {"image": pa.array(images, _IMAGE), "label": pa.array(labels, pa.int64())}
    columns |= {name: pa.array(values) for name, values in others.items()}
    table = pa.table(columns)
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def parquet_of(table: pa.Table, **options: Any) -> bytes:
    """A parquet file."""
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def stream_of(table: pa.Table) -> bytes:
    """A stream of Arrow, as `save_to_disk` has it."""
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return stream.getvalue()


def feather_of(table: pa.Table) -> bytes:
    """A file of Arrow with an index, as Feather is."""
    stream = io.BytesIO()
    with pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return stream.getvalue()


def _zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _table(**columns: Sequence[Any]) -> bytes:
    return parquet_of(pa.table({name: pa.array(values) for name, values in columns.items()}))


_LABELLED = dict(zip(NAMES, ("cat", "red panda", "red panda", "cat"), strict=True))
_BY_ROW = dict(zip(ROWS, _LABELLED.values(), strict=True))
_WORDS = ["cat", "dog", "dog", "cat"]

PICTURE_TABLES = (
    Archive("of datasets", "train-00000-of-00001.parquet", parquet_of(of_datasets()), NAMES, _LABELLED),
    Archive("of datasets, a row a group", "a.parquet", parquet_of(of_datasets(), row_group_size=1), NAMES, _LABELLED),
    Archive(
        "saved to disk by datasets",
        "saved.zip",
        _zipped({"saved/data-00000-of-00001.arrow": stream_of(of_datasets()), "saved/state.json": b"{}"}),
        NAMES,
        _LABELLED,
        skipped={"description": 1},
    ),
    Archive("a stream of Arrow", "a.arrow", stream_of(of_datasets()), NAMES, _LABELLED),
    Archive("Feather", "a.feather", feather_of(of_datasets()), NAMES, _LABELLED),
    Archive("without paths", "a.parquet", parquet_of(of_datasets(paths=[None] * 4)), ROWS, _BY_ROW),
    Archive(
        "the same path twice",
        "a.parquet",
        parquet_of(of_datasets(paths=("a.png", "a.png", "c.png", "d.png"))),
        ("a.png", "a.parquet:2", "c.png", "d.png"),
        {"a.png": "cat", "a.parquet:2": "red panda", "c.png": "red panda", "d.png": "cat"},
    ),
    Archive(
        "classes by the folders of paths",
        "a.parquet",
        parquet_of(of_datasets(paths=("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")).drop_columns("label")),
        ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"),
        {"cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog", "dog/2.png": "dog"},
    ),
    Archive("a test split, where -1 is no class", "a.parquet", parquet_of(of_datasets(labels=[-1] * 4)), NAMES),
    Archive(
        "bytes in a plain column, names in another",
        "a.parquet",
        _table(content=FILES, file_name=NAMES, label=_WORDS),
        NAMES,
        dict(zip(NAMES, _WORDS, strict=True)),
    ),
    Archive("captions beside pictures", "a.parquet", _table(image=FILES, text=["a b", "c d", "e f", "g h"]), ROWS),
    Archive(
        "rows without a picture, with junk and with the same again",
        "a.parquet",
        parquet_of(of_datasets((FILES[0], None, JUNK, FILES[0]), labels=(0, 1, 1, 0))),
        ("a.png",),
        {"a.png": "cat"},
        {"b.png": "no_picture", "c.png": "undecodable_image"},
        duplicates=1,
    ),
    Archive(
        "two columns of classes",
        "a.parquet",
        parquet_of(of_datasets(fine=[0, 1, 1, 0], coarse=[1, 1, 0, 0]).drop_columns("label")),
        NAMES,
        rejected={"a.parquet": "labels_ambiguous"},
    ),
    Archive(
        "two columns of pictures",
        "a.parquet",
        _table(before=FILES, after=FILES[::-1]),
        rejected={"a.parquet": "malformed_table"},
    ),
    Archive("other files", "a.parquet", _table(audio=[b"RIFF"] * 4), rejected={"a.parquet": "undecodable_image"}),
)
