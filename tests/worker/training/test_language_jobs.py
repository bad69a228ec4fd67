"""Jobs over language models through the service's own pieces: upload, ingestion, child process, prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from pouf_core.artifact import load_artifact
from pouf_core.data.items import collect_items, fingerprint
from pouf_core.data.texts import TextItem
from store.settings import Settings
from store.tables import Dataset, Job
from tests.pouf_core.families.language.tiny_models import save_masked
from tests.row_fixtures import insert_job
from tests.worker.warm_jobs import run_job
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

WORDS = ["great", "good", "okay", "terrible", "bad"]
PAIRS = [{"text_a": f"the movie was {a}", "text_b": f"it is {b}"} for a in WORDS for b in WORDS]
LABEL_WORDS = {"negative": ["terrible", "bad"], "positive": ["great"]}
PAIR_TEMPLATE = "{text_a}? {mask}, {text_b}"


def lines(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"base_models": ["hf-mlm:*"]}))) as client:
        yield client


@pytest.mark.parametrize(
    "pairs", [pytest.param(False, id="texts"), pytest.param(True, id="pairs", marks=pytest.mark.slow)]
)
def test_uploaded_texts_become_an_adapted_model_that_answers(
    context: WorkerContext, api: TestClient, get: Any, tmp_path: Path, pairs: bool
) -> None:
    rows = PAIRS if pairs else [{"text": f"{row['text_a']}, {row['text_b']}"} for row in PAIRS]
    labelled = [{**row, "label": "positive" if "great" in str(row) else "negative"} for row in rows]
    dataset = api.post("/v1/datasets", files={"files": ("a.jsonl", lines(labelled))}).json()
    run_ingestion(context, dataset["id"])
    body = {
        "dataset_id": dataset["id"],
        "base_model": f"hf-mlm:{save_masked('roberta', tmp_path / 'base')}",
        "class_names": list(LABEL_WORDS),
        "label_words": LABEL_WORDS,
        "method": {"tune": "norm", "max_steps": 2, "batch_size": 8, "selection": "last"},
        **({"prompt_template": PAIR_TEMPLATE} if pairs else {}),
    }
    answer = api.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.json()
    job_id = answer.json()["id"]
    run_job(context, job_id)
    job = api.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["error"]) == ("succeeded", None)
    assert (job["method"]["schedule"], job["method"]["label_word_bias"]) == ("cosine", "null")
    assert job["evaluation"]["n"] == len(rows)
    model = api.get(f"/v1/models/{job['model_id']}").json()
    assert model["label_words"] == LABEL_WORDS
    inputs = [{"text": row["text_a"], "text_pair": row["text_b"]} if pairs else row for row in rows[:3]]
    predicted = api.post("/predict", json={"model": job["model_id"], "inputs": inputs, "variant": "adapted"}).json()
    assert [row["label"] in LABEL_WORDS for row in predicted["predictions"]] == [True] * 3


def test_a_word_that_the_vocabulary_lacks_ends_the_job_with_its_tokens(
    context: WorkerContext, add_dataset: Any, get: Any, database: Any, tmp_path: Path
) -> None:
    dataset_id = add_dataset({"a.txt": b"one\ntwo\nthree\n"}, modality="text")
    run_ingestion(context, dataset_id)
    job_id = insert_job(
        database,
        dataset_id,
        {"tune": "norm"},
        base_model=f"hf-mlm:{save_masked('bert', tmp_path / 'base')}",
        class_names=["negative", "positive"],
        prompt_template=["{text} It was {mask}."],
        label_words={"negative": ["dreadful"], "positive": ["great"]},
    )
    run_job(context, job_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code) == ("failed", "label_word_not_in_vocabulary")
    assert "'##r'" in job.error_message


def test_pairs_are_stored_as_pairs_and_what_is_none_is_refused(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any
) -> None:
    odd = b'{"text": "a lone text"}\n{"text_a": "one", "text_b": " "}\n'
    dataset_id = add_dataset({"a.jsonl": lines(PAIRS[:2]) + odd, "b.csv": b"text_a,text_b\nx,y\n"}, modality="auto")
    run_ingestion(context, dataset_id)
    dataset, items = get(Dataset, dataset_id), items_of(dataset_id)
    assert (dataset.status, dataset.modality, dataset.text_pairs, dataset.item_count) == ("ready", "text", True, 3)
    refused = {item.name: item.code for item in items if item.status == "rejected"}
    assert refused == {"a.jsonl:3": "mixed_texts", "a.jsonl:4": "empty_text"}
    pairs = [TextItem(row["text_a"], row["text_b"]) for row in PAIRS[:2]]
    assert dataset.fingerprint == fingerprint(collect_items([*pairs, TextItem("x", "y")], "text")[0])
    (key,) = {item.storage_key for item in items if item.status == "accepted"}
    assert json.loads(context.storage.local(key).read_text().splitlines()[0]) == PAIRS[0]


@pytest.mark.parametrize(
    ("base_model", "template", "code"),
    [
        ("hf-mlm:roberta", PAIR_TEMPLATE, None),
        ("hf-mlm:roberta", "{text} It was {mask}.", "text_pair_not_used"),
        ("minilm", "a text about {}.", "text_pair_not_supported"),
    ],
)
def test_a_waiting_job_fails_only_if_it_cannot_take_the_pairs_that_were_found(
    context: WorkerContext, database: Any, add_dataset: Any, get: Any, base_model: str, template: str, code: str | None
) -> None:
    dataset_id = add_dataset({"a.jsonl": lines(PAIRS)}, modality="auto")
    job_id = insert_job(database, dataset_id, {"tune": "prompt"}, base_model=base_model, prompt_template=[template])
    run_ingestion(context, dataset_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code) == ("failed" if code else "queued", code)


def test_labels_of_pairs_change_no_weight(
    context: WorkerContext, add_dataset: Any, database: Any, get: Any, tmp_path: Path
) -> None:
    base, weights = f"hf-mlm:{save_masked('bert', tmp_path / 'base')}", set()
    for label in ("negative", "positive"):
        dataset_id = add_dataset({"a.jsonl": lines([{**row, "label": label} for row in PAIRS])}, modality="text")
        run_ingestion(context, dataset_id)
        job_id = insert_job(
            database,
            dataset_id,
            {"tune": "model", "max_steps": 2, "batch_size": 8, "selection": "last"},
            base_model=base,
            class_names=list(LABEL_WORDS),
            prompt_template=[PAIR_TEMPLATE],
            label_words=LABEL_WORDS,
        )
        run_job(context, job_id)
        job = get(Job, job_id)
        assert job.status == "succeeded", job.error_message
        artifact = context.storage.local_directory(f"models/{job.model_id}")
        assert load_artifact(artifact).manifest.request.label_words == LABEL_WORDS
        weights.add((artifact / "adapter.safetensors").read_bytes())
    assert len(weights) == 1
