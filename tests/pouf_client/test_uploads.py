"""What a dataset is made of, as the file that is sent."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from pouf_client import Client, InvalidInput, MissingFile
from pouf_client.uploads import upload_of
from tests.app.conftest import application, server

__all__ = ["application", "server"]


def rows_of(source, modality="auto", **options):
    with upload_of(source, modality, **options) as upload:
        return upload.modality, [json.loads(line) for line in upload.path.read_text().splitlines()]


def vectors_of(source, **options):
    with upload_of(source, **options) as upload:
        found = np.load(upload.path)
        return upload.modality, found if isinstance(found, np.ndarray) else {name: found[name] for name in found}


def members_of(source, modality="auto"):
    with upload_of(source, modality) as upload, zipfile.ZipFile(upload.path) as archive:
        return upload.modality, {name: archive.read(name) for name in archive.namelist()}


def test_with_the_modality_text_each_str_of_a_list_is_a_text():
    assert rows_of(["It broke.", "Fine."], "text") == ("text", [{"text": "It broke."}, {"text": "Fine."}])


def test_pairs_of_texts_are_told_by_themselves():
    assert rows_of([("a", "b")]) == ("text", [{"text_a": "a", "text_b": "b"}])


@pytest.mark.parametrize("table", [pd.DataFrame, pa.table])
def test_a_table_of_texts_keeps_its_columns(table):
    made = table({"text": ["It broke.", "Fine."], "label": ["bad", None], "stars": [1, 5]})
    expected = [{"text": "It broke.", "label": "bad", "stars": 1}, {"text": "Fine.", "label": None, "stars": 5}]
    assert rows_of(made) == ("text", expected)


@pytest.mark.parametrize("table", [pd.DataFrame, pa.table])
def test_a_table_of_numbers_is_embeddings_and_its_label_column_their_labels(table):
    modality, found = vectors_of(table({"x": [1.0, 2.0], "y": [3.0, 4.0], "class": [0, 1]}), label_column="class")
    assert modality == "embedding"
    assert found["features"].tolist() == [[1, 3], [2, 4]]
    assert found["labels"].tolist() == ["0", "1"]


LISTED = {"id": ["a.jpg", None, "c"], "embedding": list(np.eye(3))}
SPREAD = {"name": ["a.jpg", None, "c"]} | {f"f{index}": np.eye(3, 8)[:, index] for index in range(8)}


@pytest.mark.parametrize("columns", [LISTED, SPREAD], ids=["listed", "spread"])
def test_rows_of_a_table_of_vectors_are_called_as_it_calls_them(columns):
    modality, found = vectors_of(pd.DataFrame(columns))
    assert modality == "embedding"
    assert found["names"].tolist() == ["a.jpg", "", "c"]
    assert found["features"].tolist() == np.eye(3, found["features"].shape[1]).tolist()


def test_rows_are_called_as_the_index_of_their_table_calls_them():
    index = pd.Index(["r7", "r2"], name="review")
    assert vectors_of(pd.DataFrame({"embedding": list(np.eye(2))}, index=index))[1]["names"].tolist() == ["r7", "r2"]
    rows = rows_of(pd.DataFrame({"text": ["It broke.", "Fine."]}, index=index))
    assert rows == ("text", [{"text": "It broke.", "idx": "r7"}, {"text": "Fine.", "idx": "r2"}])


def test_a_table_with_texts_beside_vectors_is_of_texts():
    made = pd.DataFrame({"text": ["It broke.", "Fine."], "embedding": [[1.0, 2.0], [3.0, 4.0]]})
    assert rows_of(made)[0] == "text"
    assert rows_of(pd.DataFrame({"id": ["It broke.", "Fine."], "price": [1.0, 2.0]}))[0] == "text"


def test_what_pandas_has_for_missing_values_is_none():
    made = pd.DataFrame({"text": ["It broke.", "Fine."], "label": pd.array(["bad", None], dtype="string")})
    assert [row["label"] for row in rows_of(made)[1]] == ["bad", None]


@pytest.mark.parametrize("source", [np.eye(3), [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], list(np.eye(3))])
def test_vectors_are_told_by_their_shape(source):
    modality, found = vectors_of(source)
    assert modality == "embedding"
    assert found.tolist() == np.eye(3).tolist()


def test_whole_numbers_are_vectors_where_embeddings_are_asked_for():
    with upload_of(np.eye(3, dtype=np.uint8), "embedding") as upload:
        assert np.load(upload.path).shape == (3, 3)


def test_pictures_in_memory_become_files():
    pixels = np.zeros((4, 5, 3), np.uint8)
    modality, members = members_of([Image.fromarray(pixels), pixels, b"the bytes of a file"])
    assert modality == "image"
    assert [Image.open(io.BytesIO(members[f"00000{index}.png"])).size for index in (0, 1)] == [(5, 4)] * 2
    assert members["000002"] == b"the bytes of a file"
    assert len(members_of(np.zeros((7, 4, 5, 3), np.uint8))[1]) == 7


def test_a_str_in_a_list_is_a_file_where_no_texts_are_asked_for(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    assert members_of([str(tmp_path / "a.png")]) == ("auto", {"a.png": b"a"})


def test_the_bytes_of_an_archive_are_one_file():
    with upload_of(b"PK\x03\x04") as upload:
        assert upload.path.read_bytes() == b"PK\x03\x04"


def wrong_sources(folder: Path):
    return {
        "file_not_found": ("no/such/folder", "auto"),
        "empty_folder": (folder / "empty", "auto"),
        "no_items": ([], "auto"),
        "unknown_source": (7, "auto"),
        "mixed_source": (["a", b"b"], "text"),
        "texts_are_files": ([str(folder / "a" / "x.csv")], "text"),
        "folder_in_list": ([folder / "a", folder / "b"], "auto"),
        "duplicate_file_name": ([folder / "a" / "x.csv", folder / "b" / "x.csv"], "auto"),
    }


@pytest.mark.parametrize("code", wrong_sources(Path()))
def test_what_cannot_be_uploaded_is_told_in_one_line(tmp_path, code):
    (tmp_path / "empty").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.csv").write_text("text\nIt broke.\n")
    source, modality = wrong_sources(tmp_path)[code]
    with pytest.raises(InvalidInput) as wrong, upload_of(source, modality):
        pass
    assert wrong.value.code == code
    assert isinstance(wrong.value, MissingFile) == (code == "file_not_found")
    assert "\n" not in str(wrong.value)


def test_the_service_reads_what_was_made(server):
    with Client(str(server.base_url)) as pouf:
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
        alone = pouf.datasets.dry_run(buffer.getvalue())
        assert (alone.modality, alone.item_count) == ("image", 1)
        texts = pouf.datasets.dry_run(pd.DataFrame({"body": ["It broke.", "Fine."]}), text_column="body")
        assert (texts.modality, texts.item_count) == ("text", 2)
        named = pouf.datasets.dry_run(pd.DataFrame({"text": ["It broke.", "Fine."]}, index=["r7", "r2"]))
        assert [item["name"] for item in named.items] == ["r7", "r2"]


def test_a_file_whose_name_is_no_utf8_is_sent_under_one_that_tells_its_bytes(tmp_path):
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    named.write_bytes(b"a")
    assert members_of(tmp_path)[1] == members_of([named])[1] == {"caf%E9.txt": b"a"}


def test_a_folder_keeps_its_names_and_leaves_hidden_files_out(tmp_path):
    (tmp_path / "bird").mkdir()
    (tmp_path / "bird" / "a.png").write_bytes(b"a")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    with upload_of(tmp_path) as upload, zipfile.ZipFile(upload.path) as opened:
        assert opened.namelist() == ["bird/a.png"]


@pytest.mark.parametrize("name", ["a.tar.gz", "a.ndjson", "a.png"])
def test_one_file_is_sent_as_it_is_whatever_it_holds(tmp_path, name):
    (tmp_path / name).write_bytes(b"content")
    with upload_of(tmp_path / name) as sent:
        assert sent.path == tmp_path / name


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError), upload_of(tmp_path / "a.png"):
        pass


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").touch()
    with pytest.raises(ValueError, match="same name"), upload_of([tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"]):
        pass


def test_nothing_to_send_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no file"), upload_of(tmp_path):
        pass
