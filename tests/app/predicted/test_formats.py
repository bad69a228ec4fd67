"""Predictions as files: every format holds every item, and what its readers expect."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.predicted import rows as reading
from app.predicted.rows import ItemsGone, PredictedItems
from app.predicted.schemas import PredictionsQuery

COLUMNS = [
    *("name", "sha256", "label", "probability", "runner_up", "runner_up_probability"),
    *("margin", "zero_shot_label", "changed", "action"),
]


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 8)
    monkeypatch.setattr("app.predicted.formats.AT_ONCE", 7)


@pytest.fixture
def sent(api: Any) -> Any:
    def get(job_id: str, **query: Any) -> Any:
        answer = api.get(f"/v1/jobs/{job_id}/predictions", params=query)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith(f'attachment; filename="{job_id}.')
        return answer

    return get


@pytest.fixture
def listed(api: Any) -> Any:
    def get(job_id: str, **query: Any) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = api.get(f"/v1/jobs/{job_id}/predictions", params={"limit": 1000, **query}).json()[
            "data"
        ]
        return data

    return get


def table(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.mark.parametrize("query", [{}, {"sort": "margin"}, {"changed": "true"}, {"below": 0.5, "sort": "margin"}])
def test_csv_holds_what_the_pages_do(predicted: Any, sent: Any, listed: Any, query: dict[str, Any]) -> None:
    job = predicted(30)
    answer, pages = sent(job.job_id, format="csv", **query), listed(job.job_id, **query)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = table(answer)
    assert list(rows[0]) == COLUMNS
    assert [row["name"] for row in rows] == [item["name"] for item in pages]
    for row, item in zip(rows, pages, strict=True):
        assert (row["label"], row["action"], row["zero_shot_label"]) == (
            item["label"],
            item["action"],
            item["zero_shot_label"],
        )
        assert float(row["probability"]) == item["probability"]
        assert row["changed"] == str(item["changed"]).lower()


def test_cells_that_a_spreadsheet_would_execute_begin_with_an_apostrophe(predicted: Any, sent: Any) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1+1", "\tx", "\rx", "\nx", "x", 'a "quoted", name\nof two lines']
    job = predicted(names=names)
    assert [row["name"] for row in table(sent(job.job_id, format="csv"))] == [
        *(f"'{name}" for name in names[:8]),
        *names[8:],
    ]
    assert [row["name"] for row in table(sent(job.job_id, format="csv", raw="true"))] == names
    assert [row["file_name"] for row in table(sent(job.job_id, format="huggingface"))][:1] == ["'=1+1"]


def test_json_lines_hold_what_the_pages_do(predicted: Any, sent: Any, listed: Any) -> None:
    job = predicted(30)
    lines = [json.loads(line) for line in sent(job.job_id, format="jsonl").text.splitlines()]
    assert lines == [{name: item[name] for name in COLUMNS} for item in listed(job.job_id)]


def test_parquet_holds_what_the_pages_do(predicted: Any, sent: Any, listed: Any) -> None:
    job = predicted(200)
    found = pq.read_table(io.BytesIO(sent(job.job_id, format="parquet").content)).to_pylist()
    pages = listed(job.job_id)
    assert [row["name"] for row in found] == [item["name"] for item in pages]
    assert [row["changed"] for row in found] == [item["changed"] for item in pages]
    assert [row["probability"] for row in found] == pytest.approx([item["probability"] for item in pages])


def test_label_studio_gets_tasks_with_predictions(predicted: Any, sent: Any, listed: Any) -> None:
    job = predicted(30, threshold=0.5, accepted_from=0.5)
    tasks, pages = sent(job.job_id, format="label_studio").json(), listed(job.job_id)
    assert len(tasks) == len(pages) == 30
    for task, item in zip(tasks, pages, strict=True):
        assert task["data"]["image"] == task["data"]["name"] == item["name"]
        assert task["data"]["sha256"] == item["sha256"]
        assert task["data"]["predicted_label"] == item["label"]
        assert "label" not in task["data"], "which Label Studio's tables would show as what a person chose"
        if item["label"] is None:
            assert task["predictions"] == []
            continue
        (prediction,) = task["predictions"]
        assert (prediction["model_version"], prediction["score"]) == ("mdl_1", item["probability"])
        (result,) = prediction["result"]
        assert result["value"] == {"choices": [item["label"]]}
        assert (result["from_name"], result["to_name"], result["type"]) == ("label", "item", "choices")


def test_hugging_face_gets_file_names_and_labels(predicted: Any, sent: Any, listed: Any) -> None:
    job = predicted(9)
    found = [(row["file_name"], row["label"]) for row in table(sent(job.job_id, format="huggingface"))]
    assert found == [(item["name"], item["label"]) for item in listed(job.job_id)]


@pytest.mark.parametrize("order", ["dataset", "margin"])
def test_texts_are_whole_in_files(predicted: Any, sent: Any, listed: Any, order: str) -> None:
    texts = [f"{number} é " + "long " * 60 for number in range(20)]
    job = predicted(names=[f"a.csv:{number}" for number in range(20)], texts=texts)
    assert [item["text"] for item in listed(job.job_id)] == [text[:200] for text in texts]
    rows = table(sent(job.job_id, format="csv", sort=order))
    assert {row["name"]: row["text"] for row in rows} == {f"a.csv:{n}": text for n, text in enumerate(texts)}
    tasks = sent(job.job_id, format="label_studio", sort=order).json()
    assert {task["data"]["text"] for task in tasks} == set(texts)
    assert list(table(sent(job.job_id, format="huggingface"))[0]) == ["text", "label"]


@pytest.mark.parametrize("name", ["csv", "jsonl", "label_studio", "huggingface", "parquet"])
def test_no_items_are_a_file_too(predicted: Any, sent: Any, name: str) -> None:
    job = predicted(5)
    content = sent(job.job_id, format=name, below=0.0).content
    if name == "label_studio":
        assert json.loads(content) == []
    if name == "parquet":
        assert pq.read_table(io.BytesIO(content)).num_rows == 0


@pytest.mark.parametrize("order", ["dataset", "margin"])
def test_a_file_is_not_ended_as_if_it_were_whole_when_its_dataset_goes_meanwhile(
    predicted: Any, api: Any, database: Any, order: str
) -> None:
    job = predicted(40)
    items = PredictedItems(database, job.dataset_id, job.stored, PredictionsQuery(sort=order)).all()
    assert next(items)
    assert api.delete(f"/v1/datasets/{job.dataset_id}").status_code == 204
    with pytest.raises(ItemsGone):
        list(items)


def test_a_file_shows_no_items_that_came_in_place_of_deleted_ones(predicted: Any, api: Any, database: Any) -> None:
    job = predicted(40)
    items = PredictedItems(database, job.dataset_id, job.stored, PredictionsQuery(sort="margin")).all()
    assert next(items)
    assert api.delete(f"/v1/datasets/{job.dataset_id}").status_code == 204
    predicted(40, names=[f"secret/{number}.png" for number in range(40)], owner="somebody else")
    shown = []
    with pytest.raises(ItemsGone):
        shown.extend(item.name for item in items)
    assert not any(name.startswith("secret/") for name in shown)
