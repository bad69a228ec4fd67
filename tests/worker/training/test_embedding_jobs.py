"""Jobs over a caller's own embeddings through the service's parts: upload, ingestion, child process, prediction."""

from __future__ import annotations

import base64
import io
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import pouf_core
from app.main import create_app
from store.settings import Settings
from tests.worker.warm_jobs import run_job
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext
from worker.training.process import ChildProcess

CLASSES = ["fox", "heron", "otter", "wren"]
WIDTH = 24
METHOD = {"tune": "prototypes", "max_steps": 3, "selection": "last"}
RANDOM = np.random.default_rng(5)
CLASS_FEATURES = RANDOM.standard_normal((len(CLASSES), WIDTH)).astype(np.float32)
TRUE = RANDOM.integers(0, len(CLASSES), 120)
FEATURES = (CLASS_FEATURES[TRUE] + 0.7 * RANDOM.standard_normal((len(TRUE), WIDTH))).astype(np.float32)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def upload(api: TestClient, context: WorkerContext) -> Callable[..., str]:
    """Uploads an array, or a file's content, and has it ingested; returns the dataset's id."""

    def send(content: Any, name: str = "vectors.npy") -> str:
        data = content if isinstance(content, bytes) else npy(content)
        answer = api.post("/v1/datasets", files={"files": (name, data)}, data={"modality": "embedding"})
        assert answer.status_code == 202, answer.json()
        run_ingestion(context, answer.json()["id"])
        return str(answer.json()["id"])

    return send


@pytest.fixture
def adapt(api: TestClient, context: WorkerContext) -> Callable[..., dict[str, Any]]:
    """Creates a job and runs it; returns its document."""

    def run(dataset_id: str, **body: Any) -> dict[str, Any]:
        answer = api.post("/v1/jobs", json={"dataset_id": dataset_id, "class_names": CLASSES, "method": METHOD, **body})
        assert answer.status_code == 202, answer.json()
        run_job(context, answer.json()["id"])
        return dict(api.get(f"/v1/jobs/{answer.json()['id']}").json())

    return run


def test_uploaded_embeddings_become_an_adapted_model_that_answers(
    api: TestClient, upload: Callable[..., str], adapt: Callable[..., dict[str, Any]], context: WorkerContext
) -> None:
    stream = io.BytesIO()
    np.savez(stream, features=FEATURES, labels=np.array(CLASSES)[TRUE])
    classes_id = upload(CLASS_FEATURES)
    job = adapt(upload(stream.getvalue(), "vectors.npz"), class_features_dataset_id=classes_id)
    assert (job["status"], job["error"]) == ("succeeded", None)
    assert (job["base_model"], job["logit_scale"]) == ("features", 100)
    assert job["class_features_dataset_id"] == classes_id
    assert job["urls"]["class_features_dataset"] == f"/v1/datasets/{classes_id}"
    assert job["evaluation"]["n"] == len(FEATURES)
    assert job["evaluation"]["zero_shot_accuracy"] > 0.9

    encoded = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in FEATURES]
    inputs = [{"embedding": FEATURES[0].tolist()}, *({"embedding_base64": row} for row in encoded)]
    answer = api.post("/predict", json={"model": job["model_id"], "inputs": inputs, "variant": "adapted"}).json()
    here = pouf_core.load(context.storage.local_directory(f"models/{job['model_id']}"), device="cpu")
    expected = [each.label for each in here.predict([FEATURES[0], *FEATURES])]
    assert [each["label"] for each in answer["predictions"]] == expected
    assert np.mean([each["class_index"] for each in answer["predictions"][1:]] == TRUE) > 0.9


def test_without_a_method_a_closed_form_is_fitted_and_its_gain_estimated(
    api: TestClient, upload: Callable[..., str], context: WorkerContext
) -> None:
    body = {
        "dataset_id": upload(FEATURES),
        "class_features_dataset_id": upload(CLASS_FEATURES),
        "class_names": CLASSES,
    }
    job = api.post("/v1/jobs", json=body).json()
    assert (job["method"]["type"], job["method"]["tune"], job["estimated_gain"]) == ("pouf", "auto", None)
    run_job(context, job["id"])
    job = api.get(f"/v1/jobs/{job['id']}").json()
    assert (job["status"], job["error"]) == ("succeeded", None)
    assert (job["method"]["type"], job["selected_step"]) == ("closed-form", 0)
    gain = job["estimated_gain"]
    assert gain["low"] <= gain["points"] <= gain["high"]
    assert gain == job["method"]["candidates"][0]["estimated_gain"]
    assert (job["verdict"] == "improved") == (gain["low"] > 0)
    assert api.get(f"/v1/models/{job['model_id']}").json()["estimated_gain"] == gain

    stages = [entry["stage"] for entry in job["status_transitions"]]
    assert stages == [None, "loading_base", "encoding", "training", "evaluating", "exporting", None]
    assert job["progress"] == {"step": 0, "total_steps": 0, "fraction": 1.0, "eta_at": None}
    report = api.get(f"/v1/jobs/{job['id']}/report").text
    assert "estimated to get the right class than by the base model alone" in report
    assert " by step" not in report


@pytest.mark.slow
def test_a_job_of_the_default_kind_that_is_killed_ends_with_the_same_weights(
    api: TestClient,
    upload: Callable[..., str],
    context: WorkerContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true = RANDOM.integers(0, len(CLASSES), 6000)
    many = CLASS_FEATURES[true] + 1.5 * RANDOM.standard_normal((len(true), WIDTH))
    body = {
        "dataset_id": upload(many.astype(np.float32)),
        "class_features_dataset_id": upload(CLASS_FEATURES),
        "class_names": CLASSES,
    }
    undisturbed, killed = (api.post("/v1/jobs", json=body).json()["id"] for _ in range(2))
    run_job(context, undisturbed)

    def now(job_id: str) -> dict[str, Any]:
        return dict(api.get(f"/v1/jobs/{job_id}").json())

    start = ChildProcess.start

    def start_and_kill(*arguments: Any) -> ChildProcess:  # fitting takes too little time to wait for it
        child = start(*arguments)
        os.kill(child.pid, signal.SIGKILL)
        return child

    with monkeypatch.context() as patch:
        patch.setattr(ChildProcess, "start", start_and_kill)
        run_job(context, killed)
    assert now(killed)["status"] == "queued"
    run_job(context, killed)
    assert (now(killed)["status"], now(killed)["attempt"]) == ("succeeded", 2)
    weights = {
        context.storage.local(f"models/{now(job_id)['model_id']}/adapter.safetensors").read_bytes()
        for job_id in (undisturbed, killed)
    }
    assert len(weights) == 1
    assert now(killed)["estimated_gain"] == now(undisturbed)["estimated_gain"]


def test_labels_change_no_weight(
    upload: Callable[..., str], adapt: Callable[..., dict[str, Any]], context: WorkerContext
) -> None:
    weights, classes_id = set(), upload(CLASS_FEATURES)
    for shift in (0, 1):
        stream = io.BytesIO()
        np.savez(stream, features=FEATURES, labels=np.roll(np.array(CLASSES)[TRUE], shift))
        job = adapt(upload(stream.getvalue(), "a.npz"), class_features_dataset_id=classes_id)
        weights.add(context.storage.local(f"models/{job['model_id']}/adapter.safetensors").read_bytes())
    assert len(weights) == 1


def test_a_text_tower_makes_the_class_features_of_embeddings_of_its_space(
    api: TestClient, upload: Callable[..., str], adapt: Callable[..., dict[str, Any]]
) -> None:
    texts = RANDOM.standard_normal((60, 384))
    job = adapt(upload(texts), base_model="minilm")
    assert (job["status"], job["base_model"], job["class_features_dataset_id"]) == ("succeeded", "minilm", None)
    assert api.get(f"/v1/models/{job['model_id']}").json()["modality"] == "embedding"
    job = adapt(upload(FEATURES), base_model="minilm")
    assert (job["status"], job["error"]["code"]) == ("failed", "class_features_width")


BAD = {
    "embedding_width": {"embedding": [1.0, 2.0]},
    "embedding_zero": {"embedding": [0.0] * WIDTH},
    "embedding_not_finite": {"embedding_base64": base64.b64encode(np.full(WIDTH, np.inf, "<f4")).decode()},
    "invalid_base64": {"embedding_base64": "no base64!"},
    "wrong_modality": {"text": "a text"},
    "ambiguous_input": {"embedding": [1.0] * WIDTH, "text": "a text"},
}


def test_inputs_that_cannot_be_used_fail_alone(
    api: TestClient, upload: Callable[..., str], adapt: Callable[..., dict[str, Any]]
) -> None:
    model = adapt(upload(FEATURES), class_features_dataset_id=upload(CLASS_FEATURES))["model_id"]
    inputs = [{"embedding": FEATURES[0].tolist()}, *BAD.values()]
    good, *bad = api.post("/predict", json={"model": model, "inputs": inputs}).json()["predictions"]
    assert good["label"] in CLASSES
    assert [each["error"]["code"] for each in bad] == list(BAD)
    content = f'{{"model": "{model}", "inputs": [{{"embedding": [NaN{", 1" * (WIDTH - 1)}]}}]}}'
    refused = api.post("/predict", content=content, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "embedding_not_finite")


@pytest.mark.slow
def test_models_of_two_widths_answer_side_by_side(
    api: TestClient, upload: Callable[..., str], adapt: Callable[..., dict[str, Any]]
) -> None:
    for width in (WIDTH, 8):
        job = adapt(
            upload(FEATURES[:, :width]), class_features_dataset_id=upload(CLASS_FEATURES[:, :width]), alias=f"w{width}"
        )
        assert job["status"] == "succeeded"
    for width in (WIDTH, 8, WIDTH):
        body = {"model": f"w{width}", "inputs": [{"embedding": row.tolist()} for row in FEATURES[:4, :width]]}
        answer = api.post("/predict", json=body).json()["predictions"]
        assert all(each["label"] in CLASSES for each in answer)
