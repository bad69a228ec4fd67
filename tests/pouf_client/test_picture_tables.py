"""Tables whose cells are paths of pictures: the pictures are sent."""

import csv
import io
import zipfile

import pandas as pd
import pytest

from pouf_client import InvalidInput, MissingFile
from pouf_client.uploads import upload_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("birds/a.jpg", "boats/a.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sent(source, modality="auto", **options):
    """The modality, the pictures and their labels."""
    with upload_of(source, modality, **options) as upload:
        if not zipfile.is_zipfile(upload.path):
            return upload.modality, upload.path, None
        with zipfile.ZipFile(upload.path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    labels = members.pop("labels.csv", b"").decode()
    return upload.modality, members, {row["file"]: row["label"] for row in csv.DictReader(io.StringIO(labels))}


PICTURES = {"birds/a.jpg": b"birds/a.jpg", "boats/a.jpg": b"boats/a.jpg"}


@pytest.mark.parametrize("column", ["path", "Picture of the day"])
def test_a_table_of_paths_is_its_pictures_with_their_labels(folder, column):
    table = pd.DataFrame({column: list(PICTURES), "label": ["bird", None], "stars": [1, 2]})
    assert sent(table) == ("image", PICTURES, {"birds/a.jpg": "bird"})


def test_pictures_elsewhere_are_called_by_their_places_below_what_has_them_all(folder, monkeypatch):
    table = pd.DataFrame({"file": [str(folder / name) for name in PICTURES], "kind": ["bird", "boat"]})
    monkeypatch.chdir(folder.parent)
    labels = {"birds/a.jpg": "bird", "boats/a.jpg": "boat"}
    assert sent(table, label_column="kind") == ("image", PICTURES, labels)


@pytest.mark.parametrize(
    "text",
    [
        "file,label\nbirds/a.jpg,bird\nboats/a.jpg,\n",
        "birds/a.jpg;bird\nboats/a.jpg;\n",
        "\ufefffile\tlabel\r\nbirds/a.jpg\tbird\r\nboats/a.jpg\t\r\n",
    ],
)
def test_a_csv_leads_from_its_own_folder(folder, monkeypatch, text):
    (folder / "pictures.csv").write_text(text, newline="")
    monkeypatch.chdir(folder.parent)
    assert sent(folder / "pictures.csv") == ("image", PICTURES, {"birds/a.jpg": "bird"})


def test_a_csv_of_texts_is_sent_as_it_is(folder):
    (folder / "texts.csv").write_text("text,file\nIt broke.,scan1.jpg\nFine.,scan2.jpg\n")
    assert sent(folder / "texts.csv") == ("auto", folder / "texts.csv", None)
    (folder / "paths.csv").write_text("path\nbirds/a.jpg\n")
    assert sent(folder / "paths.csv", "text") == ("text", folder / "paths.csv", None)
    assert sent(folder / "paths.csv", tables_name_pictures=False) == ("auto", folder / "paths.csv", None)


@pytest.mark.parametrize(
    ("columns", "error", "said"),
    [
        ({"path": ["birds/a.jpg", "none.jpg"]}, MissingFile, "'none.jpg' in row 1"),
        ({"path": ["birds/a.jpg", None]}, InvalidInput, "none in row 1"),
        ({"review": ["It broke.", "Fine."]}, InvalidInput, "No column of the table names pictures"),
    ],
)
def test_a_table_that_names_no_pictures_or_missing_ones_is_refused_in_words(folder, columns, error, said):
    with pytest.raises(error, match=said):
        sent(pd.DataFrame(columns), "image")
