"""Tables whose cells are paths of pictures: the pictures are sent."""

import csv
import io
import zipfile

import pandas as pd
import pytest

from pouf_client import InvalidInput, MissingFile, picture_tables
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
        "File,Class,split\nbirds/a.jpg,bird,train\nboats/a.jpg,,test\n\n",
        "\ufefffile\tlabel\r\nbirds/a.jpg\tbird\r\nboats/a.jpg\t\r\n",
    ],
)
def test_a_csv_leads_from_its_own_folder(folder, monkeypatch, text):
    (folder / "pictures.csv").write_text(text, newline="")
    monkeypatch.chdir(folder.parent)
    assert sent(folder / "pictures.csv") == ("image", PICTURES, {"birds/a.jpg": "bird"})


@pytest.mark.parametrize("second", ["scan2.jpg", ""])
def test_a_csv_of_texts_is_sent_as_it_is(folder, second):
    (folder / "texts.csv").write_text(f"text,file\nIt broke.,scan1.jpg\nFine.,{second}\n")
    assert sent(folder / "texts.csv") == ("auto", folder / "texts.csv", None)
    (folder / "paths.csv").write_text("path\nbirds/a.jpg\n")
    assert sent(folder / "paths.csv", "text") == ("text", folder / "paths.csv", None)
    assert sent(folder / "paths.csv", tables_name_pictures=False) == ("auto", folder / "paths.csv", None)


def test_a_column_whose_values_alone_recur_has_the_labels(folder):
    names = [*PICTURES] * 2
    table = {
        "file": names,
        "kind": ["bird", "boat"] * 2,
        "split": ["train", "train", "test", "test"],
        "number": [1, 2, 3, 4],
    }
    assert sent(pd.DataFrame(table))[2] == {"birds/a.jpg": "bird", "boats/a.jpg": "boat"}
    assert sent(pd.DataFrame(table | {"sky": ["grey", "blue"] * 2}))[2] == {}


@pytest.mark.parametrize("written", ["tab", "\\t", "\t"])
def test_a_tab_may_be_written_as_a_word(folder, written):
    (folder / "pictures.csv").write_text("file\tlabel\nbirds/a.jpg\tbird\n")
    assert sent(folder / "pictures.csv", delimiter=written)[0] == "image"


def test_a_delimiter_that_is_none_is_the_services_to_refuse(folder):
    (folder / "pictures.csv").write_text("file\tlabel\nbirds/a.jpg\tbird\n")
    assert sent(folder / "pictures.csv", delimiter="ab") == ("auto", folder / "pictures.csv", None)


def test_of_a_long_file_of_texts_the_first_rows_alone_are_read(folder, monkeypatch):
    (folder / "texts.csv").write_text("text,image\n" + "It broke.,scan.jpg\n" * 60)
    asked = []
    read = picture_tables.csv.reader
    monkeypatch.setattr(
        csv, "reader", lambda file, **options: (asked.append(row) or row for row in read(file, **options))
    )
    assert sent(folder / "texts.csv") == ("auto", folder / "texts.csv", None)
    assert len(asked) == picture_tables.FIRST_ROWS


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("file,label,split\nbirds/a.jpg,bird,train\nnone.jpg,boat,test\n", {}, "file_not_found"),
        ("file,label\nbirds/a.jpg,bird\n", {"label_column": "kind"}, "label_column_not_found"),
    ],
)
def test_a_csv_of_pictures_that_lacks_one_or_its_labels_is_refused(folder, text, options, code):
    (folder / "pictures.csv").write_text(text)
    with pytest.raises(InvalidInput) as raised:
        sent(folder / "pictures.csv", **options)
    assert raised.value.code == code


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
