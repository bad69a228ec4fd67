"""Ingestion of texts: what is kept and refused, labels apart, and large files."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from app.datasets.schemas import show_dataset
from pouf_core.data.items import collect_items, fingerprint
from store.storage import Storage
from store.tables import Dataset, Job
from tests.corpus.sheets import parquet, workbook
from tests.corpus.tables import UNSURE
from tests.row_fixtures import insert_job
from tests.worker.ingestion.archive_files import zipped
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

TABLE = b"text,label\na fine film,pos\na dull caf\xc3\xa9,neg\na fine film,pos\n,neg\ncaf\xe9,neg\n"


def stored_texts(storage: Storage, items: list[Any]) -> set[str]:
    (key,) = {item.storage_key for item in items if item.status == "accepted"}
    return {json.loads(line)["text"] for line in storage.local(key).read_text(encoding="utf-8").splitlines()}


def test_a_table_becomes_texts_with_labels_apart(
    context: WorkerContext, storage: Storage, add_dataset: Any, get: Any, items_of: Any
) -> None:
    dataset_id = add_dataset({"a.csv": TABLE}, modality="auto")
    run_ingestion(context, dataset_id)
    dataset, items = get(Dataset, dataset_id), items_of(dataset_id)
    assert (dataset.status, dataset.modality) == ("ready", "text")
    assert (dataset.item_count, dataset.duplicate_count, dataset.rejected_count) == (2, 1, 2)
    assert (dataset.labelled_count, dataset.suggested_class_names) == (2, ["neg", "pos"])
    assert stored_texts(storage, items) == {"a fine film", "a dull café"}
    assert dataset.fingerprint == fingerprint(collect_items(["a dull café", "a fine film"], "text")[0])
    assert [(item.name, item.code) for item in items if item.status == "rejected"] == [
        ("a.csv:5", "empty_text"),
        ("a.csv:6", "undecodable_text"),
    ]
    assert {item.label for item in items if item.status == "accepted"} == {"pos", "neg"}


def test_a_dataset_tells_how_its_files_were_read(context: WorkerContext, add_dataset: Any, get: Any) -> None:
    rows = ["1;Schöner Film, wirklich;gut", '2;"Öde; viel zu lang";schlecht', "3;;gut", "4;Ganz nett so;gut"]
    table = "\n".join(["Nr;Review;Stimmung", *rows])
    dataset_id = add_dataset({"a.csv": table.encode("cp1252"), "b.txt": b"one text\n"}, modality="text")
    run_ingestion(context, dataset_id)
    first, second = get(Dataset, dataset_id).readings
    assert (first["file"], first["encoding"], first["delimiter"]) == ("a.csv", "cp1252", ";")
    assert 0 < first["encoding_confidence"] < 1
    assert first["header"] == ["Nr", "Review", "Stimmung"]
    assert (first["text_column"], first["label_column"], first["rows"], first["rejected_rows"]) == (1, 2, 4, 1)
    assert first["first_rows"][1] == {"text": "Öde; viel zu lang", "text_pair": None, "label": "schlecht"}
    assert (second["file"], second["delimiter"], second["rows"]) == ("b.txt", None, 1)


def test_a_file_of_which_the_encoding_can_hardly_be_told_makes_a_warning(
    context: WorkerContext, add_dataset: Any, get: Any
) -> None:
    dataset_id = add_dataset({"a.csv": UNSURE, "b.csv": b"text\nno funciona\n"}, modality="text")
    run_ingestion(context, dataset_id)
    (warning,) = get(Dataset, dataset_id).warnings
    assert warning["code"] == "encoding_unsure"
    assert "'a.csv'" in warning["message"]


def test_what_the_uploader_says_of_files_decides(context: WorkerContext, add_dataset: Any, get: Any) -> None:
    said = {"encoding": "cp1250", "delimiter": "|", "header": False}
    content = "dobre słowa|a, b\ngood words|c, d\n".encode("cp1250")
    dataset_id = add_dataset({"a.csv": content}, modality="text", text_options=said, text_column=None)
    run_ingestion(context, dataset_id)
    (reading,) = get(Dataset, dataset_id).readings
    assert (reading["encoding"], reading["delimiter"], reading["header"], reading["rows"]) == ("cp1250", "|", None, 2)
    assert reading["first_rows"][0]["text"] == "dobre słowa"


def test_columns_are_those_that_the_upload_named(
    context: WorkerContext, storage: Storage, add_dataset: Any, get: Any, items_of: Any
) -> None:
    table = b"title,body,kind\na title,a fine film,pos\nanother title,a dull film,neg\n"
    dataset_id = add_dataset({"a.csv": table}, modality="text", text_column="body", label_column="kind")
    run_ingestion(context, dataset_id)
    assert stored_texts(storage, items_of(dataset_id)) == {"a fine film", "a dull film"}
    assert get(Dataset, dataset_id).suggested_class_names == ["neg", "pos"]


def test_a_column_that_the_table_lacks_is_named(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    dataset_id = add_dataset({"a.csv": TABLE}, modality="text", label_column="kind")
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "failed"
    (item,) = items_of(dataset_id)
    assert item.code == "label_column_not_found"
    assert "'kind'" in item.message


def test_labels_change_neither_fingerprint_nor_what_is_stored(
    context: WorkerContext, storage: Storage, add_dataset: Any, get: Any, items_of: Any
) -> None:
    tables = [b"text,label\none fine day,x\ntwo fine days,y\n", b"text,label\none fine day,y\ntwo fine days,x\n"]
    seen = set()
    for table in tables:
        dataset_id = add_dataset({"a.csv": table}, modality="text")
        run_ingestion(context, dataset_id)
        (key,) = {item.storage_key for item in items_of(dataset_id)}
        seen.add((get(Dataset, dataset_id).fingerprint, storage.local(key).read_bytes()))
    assert len(seen) == 1


def test_of_a_text_that_comes_again_all_labels_count_and_contradicting_ones_do_not(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    table = b"text,label\none fine day,x\none fine day,y\na rainy day,\na rainy day,x\na day,x\na day,\n"
    dataset_id = add_dataset({"a.csv": table}, modality="text")
    run_ingestion(context, dataset_id)
    accepted = [item for item in items_of(dataset_id) if item.status == "accepted"]
    assert [(item.label, item.code) for item in accepted] == [(None, "conflicting_labels"), ("x", None), ("x", None)]
    (warning,) = get(Dataset, dataset_id).warnings
    assert warning["code"] == "conflicting_labels" and "1 of 3 labelled items" in warning["message"]


def test_archives_of_texts_are_read_when_the_modality_is_text(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    members = {"x/a.txt": b"one\ntwo\n", "b.jsonl": b'{"text": "three"}\n', "c.png": b"\x89PNG", "d.json": b"{"}
    dataset_id = add_dataset({"a.zip": zipped(members)}, modality="text")
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).item_count == 3
    refused = {item.name: item.code for item in items_of(dataset_id) if item.status == "rejected"}
    assert refused == {"c.png": "unknown_text_file", "d.json": "malformed_json"}


def test_nothing_usable_fails_with_reasons(context: WorkerContext, add_dataset: Any, get: Any, items_of: Any) -> None:
    dataset_id = add_dataset({"a.jsonl": b"{\n"}, modality="auto")
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).error_code == "no_usable_items"
    assert "a.jsonl:1" in get(Dataset, dataset_id).error_message
    assert [item.code for item in items_of(dataset_id)] == ["malformed_json"]


def test_a_table_that_does_not_tell_its_texts_fails_with_the_columns_to_choose_from(
    context: WorkerContext, add_dataset: Any, get: Any
) -> None:
    table = b"Titel,Inhalt,Nr\none title,one body,1\ntwo title,two body,2\n"
    dataset_id = add_dataset({"a.csv": table}, modality="auto")
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.error_code) == ("failed", "table_ambiguous")
    assert dataset.candidates == [
        {"column": 0, "heading": "Titel", "examples": ["one title", "two title"]},
        {"column": 1, "heading": "Inhalt", "examples": ["one body", "two body"]},
    ]
    shown = show_dataset(dataset, (1, len(table))).error
    assert shown is not None
    assert [error["candidate"]["column"] for error in shown.errors] == [0, 1]
    assert "Inhalt" in shown.errors[1]["message"]


@pytest.mark.parametrize(("base_model", "status"), [("minilm", "queued"), ("pouf-lite", "failed")])
def test_a_job_that_waited_fails_for_the_wrong_modality(
    context: WorkerContext, database: Any, add_dataset: Any, get: Any, base_model: str, status: str
) -> None:
    dataset_id = add_dataset({"a.txt": b"one\ntwo\n"}, modality="auto")
    job_id = insert_job(database, dataset_id, base_model=base_model)
    run_ingestion(context, dataset_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code) == (status, "wrong_modality" if status == "failed" else None)


def test_a_job_that_waited_without_a_base_model_gets_that_of_the_items(
    context: WorkerContext, database: Any, broker: Any, add_dataset: Any, get: Any
) -> None:
    dataset_id = add_dataset({"a.txt": b"one\ntwo\n"}, modality="auto")
    job_id = insert_job(database, dataset_id, base_model="auto", method={})
    with_words = insert_job(database, dataset_id, base_model="auto", method={}, label_words={"circle": ["round"]})
    run_ingestion(context, dataset_id)
    job = get(Job, job_id)
    assert (job.status, job.request.base_model, job.summary["base_model"]) == ("queued", "minilm", "minilm")
    assert job.request.prompt_template == ["A text about {}."]
    assert (get(Job, with_words).status, get(Job, with_words).error_code) == ("failed", "label_words_not_used")
    assert [message[2] for message in broker.sent] == [{"job_id": job_id}]


def test_the_limit_of_items_holds_for_texts(make_context: Any, add_dataset: Any, get: Any) -> None:
    dataset_id = add_dataset({"a.txt": b"one\ntwo\nthree\n"}, modality="text")
    run_ingestion(make_context(max_items=2), dataset_id)
    assert get(Dataset, dataset_id).error_code == "too_many_items"


def test_items_carry_the_beginnings_of_their_texts(context: WorkerContext, add_dataset: Any, items_of: Any) -> None:
    rows = [{"text_a": "x" * 500, "text_b": "a\ud800b"}, {"text_a": "a premise", "text_b": "a hypothesis"}]
    content = "".join(json.dumps(row) + "\n" for row in [*rows, rows[1]]).encode()
    dataset_id = add_dataset({"a.jsonl": content}, modality="text")
    run_ingestion(context, dataset_id)
    shown = [(item.name, item.status, item.text, item.text_pair) for item in items_of(dataset_id)]
    assert shown[1:] == [
        ("a.jsonl:2", "accepted", "a premise", "a hypothesis"),
        ("a.jsonl:3", "duplicate", "a premise", "a hypothesis"),
    ]


COUNT = 210  # the first rows tell which column names the others
ROWS = [*((f"a{n}", f"text {n}") for n in range(COUNT)), ("again", "text 0"), ("none", ""), ("", "last text")]
NAMED = {
    "a.csv": "id,text\n" + "".join(f"{name},{text}\n" for name, text in ROWS),
    "a.jsonl": "".join(json.dumps({"id": name or None, "text": text}) + "\n" for name, text in ROWS),
}


@pytest.mark.parametrize("file", NAMED)
def test_items_are_called_as_their_table_calls_them(
    context: WorkerContext, add_dataset: Any, items_of: Any, file: str
) -> None:
    last = len(ROWS) + NAMED[file].startswith("id")
    dataset_id = add_dataset({file: NAMED[file].encode()}, modality="text")
    run_ingestion(context, dataset_id)
    found = [(item.name, item.status) for item in items_of(dataset_id)]
    assert found[:COUNT] == [(f"a{n}", "accepted") for n in range(COUNT)]
    assert found[COUNT:] == [
        ("again", "duplicate"),
        (f"{file}:{last - 1}", "rejected"),
        (f"{file}:{last}", "accepted"),
    ]


def test_a_column_of_ids_that_recur_names_no_items(context: WorkerContext, add_dataset: Any, items_of: Any) -> None:
    dataset_id = add_dataset({"a.csv": b"name,text\nJo,a fine film\nJo,a dull film\n"}, modality="text")
    run_ingestion(context, dataset_id)
    assert [item.name for item in items_of(dataset_id)] == ["a.csv:2", "a.csv:3"]


def test_what_is_lost_is_told_on_the_dataset_and_on_jobs_over_it(
    context: WorkerContext, add_dataset: Any, get: Any, database: Any
) -> None:
    rows = [f"row number {number}".encode() for number in range(30)] + [b"sch\xf6n", "schöne Grüße".encode()]
    dataset_id = add_dataset({"a.txt": b"\n".join(rows)}, modality="text")
    job_id = insert_job(database, dataset_id, base_model="minilm")
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    (group,), (warning,) = dataset.rejections, dataset.warnings
    assert (group["code"], group["count"], group["example_name"]) == ("undecodable_text", 1, "a.txt:31")
    assert warning["message"].startswith("1 of 32 rows cannot be read as UTF-8")
    assert [found.model_dump() for found in get(Job, job_id).result.warnings] == [warning]


def test_workbooks_and_parquet_files_are_read_in_archives_and_packed_too(
    context: WorkerContext, add_dataset: Any, get: Any
) -> None:
    rows = [("text", "label"), ("one fine day", "x")]
    files = {
        "a.zip": zipped({"in.xlsx": workbook({"A": rows}), "in.parquet": parquet({"text": ["a second day"]})}),
        "b.xlsx.gz": gzip.compress(workbook({"A": [*rows, ("a third day", "y")], "B": rows})),
    }
    dataset_id = add_dataset(files, modality="text")
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.item_count, dataset.duplicate_count, dataset.labelled_count) == (3, 1, 2)
    assert [(one["file"], one["sheet"]) for one in dataset.readings] == [
        ("in.xlsx", "A"),
        ("in.parquet", None),
        ("b.xlsx", "A"),
    ]
    assert [warning["code"] for warning in dataset.warnings] == ["files_rejected"]
    assert "'B'" in dataset.warnings[0]["message"]


@pytest.mark.parametrize(
    ("columns", "modality"), [({"text": ["a day", "b day"]}, "text"), ({"features": [[1.0, 2.0]]}, "embedding")]
)
def test_what_parquet_files_hold_is_told_by_their_columns(
    context: WorkerContext, add_dataset: Any, get: Any, columns: dict[str, Any], modality: str
) -> None:
    dataset_id = add_dataset({"a.parquet": parquet(columns)}, modality="auto")
    run_ingestion(context, dataset_id)
    assert (get(Dataset, dataset_id).status, get(Dataset, dataset_id).modality) == ("ready", modality)
