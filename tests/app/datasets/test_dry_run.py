"""Dry runs: what a dataset of files would be, and nothing kept."""

import gzip
import io
import zipfile

import pytest
from sqlalchemy import func, select

from pouf_core.data.limited_process import ReaderUnavailable
from store.tables import Base
from tests.app.inline_worker import InlineWorker
from tests.corpus.sheets import parquet, workbook

GERMAN = "\n".join(
    ["Nr;Review;Stimmung", *[f"{n};Ein schöner Film Nummer {n};{'gut' if n % 2 else 'öde'}" for n in range(9)]]
)
SAME = [
    *("modality", "text_pairs", "readings", "rejections", "skipped", "warnings", "item_count", "duplicate_count"),
    *("rejected_count", "labelled_count", "embedding_width", "embedding_templates", "suggested_class_names"),
]


def dry_run(api, files, **fields):
    return api.post("/v1/datasets?dry_run=true", files=[("files", file) for file in files], data=fields)


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.fixture
def rows_and_files(database, settings):
    """How many rows and files there are."""

    def count():
        with database.read() as session:
            rows = {
                table.name: session.scalar(select(func.count()).select_from(table))
                for table in Base.metadata.sorted_tables
            }
        return rows, sorted(
            str(path) for folder in ("storage", "staging") for path in (settings.data_dir / folder).rglob("*")
        )

    return count


def test_a_dry_run_says_how_files_are_read_and_keeps_nothing(api, rows_and_files):
    before = rows_and_files()
    response = dry_run(api, [("a.csv", GERMAN.encode("cp1252"))], name="mine")
    assert response.status_code == 200, response.text
    sample = response.json()
    (reading,) = sample["readings"]
    assert (reading["encoding"], reading["delimiter"], reading["text_column"], reading["label_column"]) == (
        "cp1252",
        ";",
        1,
        2,
    )
    assert (sample["object"], sample["complete"], sample["item_count"], sample["labelled_count"]) == (
        "dataset_sample",
        True,
        9,
        9,
    )
    assert sample["suggested_class_names"] == ["gut", "öde"]
    assert (sample["items"][0]["text"], sample["items"][0]["label"]) == ("Ein schöner Film Nummer 0", "öde")
    assert rows_and_files() == before


def test_a_dry_run_answers_what_ingestion_will(api, settings, tmp_path, picture):
    archive = zipped({"cat/a.png": picture("red"), "dog/b.png": picture("blue"), "dog/c.png": b"none", "dog/.x": b""})
    sample = dry_run(api, [("a.zip", archive)]).json()
    dataset_id = api.post("/v1/datasets", files=[("files", ("a.zip", archive))]).json()["id"]
    InlineWorker(settings, tmp_path / "artifact").work()
    dataset = api.get(f"/v1/datasets/{dataset_id}").json()
    assert {name: sample[name] for name in SAME} == {name: dataset[name] for name in SAME}
    assert (dataset["item_count"], dataset["rejected_count"], dataset["suggested_class_names"]) == (
        2,
        1,
        ["cat", "dog"],
    )


def test_a_dry_run_reads_workbooks_parquet_and_packed_files(api):
    rows = [("text", "label"), ("one fine day", "x")]
    files = [("a.xlsx", workbook({"A": rows})), ("b.parquet", parquet({"text": ["a second day"]}))]
    sample = dry_run(api, [*files, ("c.csv.gz", gzip.compress(b"text\na third day\n"))]).json()
    assert (sample["modality"], sample["item_count"], sample["labelled_count"]) == ("text", 3, 1)
    assert [reading["file"] for reading in sample["readings"]] == ["a.xlsx", "b.parquet", "c.csv"]


def test_a_table_that_does_not_tell_is_refused_with_the_columns_to_choose_from(api, refused):
    table = b"Titel,Inhalt,Nr\none title,one body,1\ntwo title,two body,2\n"
    problem = refused(dry_run(api, [("a.csv", table)]), 422, "table_ambiguous", "/text_column")
    assert [error["candidate"] for error in problem["errors"]] == [
        {"column": 0, "heading": "Titel", "examples": ["one title", "two title"]},
        {"column": 1, "heading": "Inhalt", "examples": ["one body", "two body"]},
    ]


def test_a_table_beside_pictures_with_labels_in_several_columns_is_asked_about(api, picture):
    colours = ("red", "blue", "green", "white")
    rows = "".join(f"{name}.png,{'warm' if at % 2 else 'cold'},{at // 2}\n" for at, name in enumerate(colours))
    pictures = {f"{name}.png": picture(name) for name in colours}
    archive = zipped(pictures | {"train.csv": f"image,Feeling,half\n{rows}".encode()})
    asked = dry_run(api, [("a.zip", archive)]).json()
    (rejection,) = asked["rejections"]
    assert (rejection["code"], asked["labelled_count"]) == ("labels_ambiguous", 0)
    assert "'Feeling', 'half'. Name one as label_column" in rejection["message"]
    answered = dry_run(api, [("a.zip", archive)], modality="image", label_column="feeling").json()
    assert (answered["rejections"], answered["suggested_class_names"]) == ([], ["cold", "warm"])
    mistyped = dry_run(api, [("a.zip", archive)], modality="image", label_column="feelign").json()
    assert [(one["code"], mistyped["labelled_count"]) for one in mistyped["rejections"]] == [
        ("label_column_not_found", 0)
    ]
    in_folders = {f"{place}/{name}": content for place in ("in", "out") for name, content in pictures.items()}
    beside = dry_run(api, [("a.zip", zipped(in_folders | {"exif.csv": f"image,Feeling,half\n{rows}".encode()}))]).json()
    assert (beside["rejections"], beside["suggested_class_names"]) == ([], ["in", "out"])


@pytest.mark.parametrize(
    ("files", "fields", "code", "pointer"),
    [
        ([("a.jsonl", b"{")], {}, "no_usable_items", "/files"),
        ([], {"name": "x"}, "no_files", "/files"),
        ([("a.csv", b"x")], {"encoding": "klingon"}, "invalid_value", "/encoding"),
    ],
)
def test_what_would_fail_is_refused(api, refused, rows_and_files, files, fields, code, pointer):
    before = rows_and_files()
    refused(dry_run(api, files, **fields), 422, code, pointer)
    assert rows_and_files() == before


def test_a_dry_run_needs_the_scope_to_write(api, make_key, refused):
    headers = {"Authorization": f"Bearer {make_key('alice', 'read')}"}
    refused(api.post("/v1/datasets?dry_run=true", headers=headers), 403, "insufficient_scope")


def test_files_that_end_the_process_are_refused_in_words(api, refused, monkeypatch):
    monkeypatch.setattr("pouf_core.data.uploads.sampling.MODULE", "this")
    problem = refused(dry_run(api, [("a.txt", b"a text\n")]), 422, "sample_unreadable")
    assert "Traceback" not in problem["detail"]


def test_a_dry_run_that_could_read_no_file_is_to_be_tried_again(api, refused, monkeypatch):
    def nothing(_):
        raise ReaderUnavailable

    monkeypatch.setattr("app.serving.samples.take_sample", nothing)
    answer = dry_run(api, [("a.txt", b"a text\n")])
    refused(answer, 503, "reader_unavailable")
    assert answer.headers["x-should-retry"] == "true"


def test_files_that_hold_no_item_are_said_to(api, refused):
    problem = refused(dry_run(api, [("a.csv", b"text\n")]), 422, "no_usable_items", "/files")
    assert "they hold no item" in problem["detail"]


def test_files_that_were_all_passed_over_are_said_to_be(api, refused):
    problem = refused(dry_run(api, [("a.zip", zipped({"README.txt": b"a text"}))]), 422, "no_usable_items", "/files")
    assert "was passed over (description)" in problem["detail"]
