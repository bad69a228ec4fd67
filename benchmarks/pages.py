"""How long the service takes for each page of the web app with 1,000 jobs and 100,000 items.

    python benchmarks/pages.py [--jobs 1000] [--items 100000] [--rounds 50] [--json FILE]

The rows are made directly, in a SQLite database of their own, and so is a map of a model's items. Requests go to the
application without a network.
"""

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from clipart import environment
from fastapi.testclient import TestClient
from sqlalchemy import insert

from app.main import create_app
from app.serving.planes import PLANE
from pouf_core.contract.abstention import Abstention, AnswerCurve, AnswerPoint
from pouf_core.contract.predictions import PredictionsHeader
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult
from pouf_core.predictions.predicted import prediction_records
from pouf_core.predictions.stored import MOST_MAPPED, write_predictions
from store.database import Database
from store.ids import new_id
from store.settings import Settings
from store.storage import Storage
from store.tables import AdaptedModel, Dataset, DatasetItem, Job, Webhook, WebhookDelivery
from store.transitions import start_life, transition

CLASSES = [f"class {number}" for number in range(100)]
LIMIT_MS = 100.0
FINISHED_KEY = "predictions/finished"


def add_dataset(database: Database, count: int) -> tuple[str, list[str]]:
    """A dataset of so many pictures; returns its id and their content hashes, in order."""
    dataset_id = new_id("ds")
    hashes = sorted(hashlib.sha256(str(number).encode()).hexdigest() for number in range(count))
    columns = {"dataset_id": dataset_id, "status": "accepted"}
    items = [{"sha256": sha256, "name": f"folder/{sha256[:12]}.png", **columns} for sha256 in hashes]
    with database.write() as session:
        session.add(Dataset(id=dataset_id, owner="local", modality="image", status="ready", item_count=count))
        session.flush()
        session.execute(insert(DatasetItem), items)
    return dataset_id, hashes


def add_jobs(database: Database, dataset_id: str, count: int) -> list[str]:
    """So many finished jobs over it, the last two of which have predictions; returns the ids of those."""
    made = []
    request = AdaptationRequest(class_names=CLASSES, prompt_template=["a photo of a {}."])
    for number in range(count):
        job = Job(id=new_id("job"), owner="local", dataset_id=dataset_id, request=request, result=PartialResult())
        job.predictions_key = FINISHED_KEY if number >= count - 2 else None
        with database.write() as session:
            start_life(session, job)
            transition(session, job, "running")
            transition(session, job, "succeeded")
        made.append(job.id)
    return made[-2:]


def add_webhook(database: Database, count: int) -> str:
    """A webhook with so many messages that arrived; returns its id."""
    hook = Webhook(id=new_id("whk"), owner="local", url="https://example.com/", event_types=["job.failed"], secret="")
    sent = {"webhook_id": hook.id, "owner": "local", "event_type": "job.failed", "body": "{}", "status": "delivered"}
    with database.write() as session:
        session.add(hook)
        session.flush()
        messages = [{"id": new_id("msg"), "job_id": new_id("job"), **sent} for _ in range(count)]
        session.execute(insert(WebhookDelivery), messages)
    return hook.id


def add_model(database: Database, job_id: str) -> str:
    """The model of the job, with a curve of thresholds; returns its id."""
    points = [
        AnswerPoint(threshold=1 - share / 40, answered=share / 40, accuracy=1 - share / 160) for share in range(1, 41)
    ]
    curve = AnswerCurve(points=points, proposed=points[20])
    abstention = Abstention(wished_accuracy=0.95, adapted=curve, zero_shot=curve)
    with database.write() as session:
        job = session.get_one(Job, job_id)
        model = AdaptedModel(
            id=new_id("mdl"), owner="local", job_id=job_id, request=job.request, storage_key="models/none"
        )
        model.size_bytes, model.fingerprint, model.result = 1, "f" * 64, PartialResult(abstention=abstention)
        session.add(model)
        return model.id


def add_predictions(storage: Storage, hashes: list[str], folder: Path) -> None:
    """Predictions of the items, a third of which changed their class."""
    drawn = torch.Generator().manual_seed(0)
    zero_shot = torch.randn(len(hashes), len(CLASSES), generator=drawn).mul(3).softmax(dim=1)
    adapted = zero_shot.roll(1, dims=1).where(torch.rand(len(hashes), 1, generator=drawn) < 1 / 3, zero_shot)
    digests = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, 32)
    header = PredictionsHeader(
        class_names=CLASSES, variant="adapted", threshold=0.0, accepted_from=0.6, item_count=len(hashes)
    )
    write_predictions(folder, header, [prediction_records(digests, adapted, zero_shot)])
    np.save(folder / PLANE, np.random.default_rng(0).random((MOST_MAPPED, 2), np.float32))
    storage.put_directory(FINISHED_KEY, folder)


def measure(api: TestClient, path: str, rounds: int) -> dict[str, float]:
    """Milliseconds for a page: the median, and what 95 of 100 requests stay below."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        answer = api.get(path)
        times.append(1000 * (time.perf_counter() - started))
        assert answer.status_code == 200, answer.text
    times = sorted(times[1:])
    return {"median_ms": statistics.median(times), "p95_ms": times[int(0.95 * len(times))]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(
            data_dir=Path(name), redis_url=None, allowed_hosts=["testserver"], min_free_bytes=0, log_level="WARNING"
        )
        with TestClient(create_app(settings)) as api:
            database = Database.of(settings)
            dataset_id, hashes = add_dataset(database, options.items)
            add_predictions(Storage.of(settings), hashes, Path(name) / "made")
            other_id, job_id = add_jobs(database, dataset_id, options.jobs)
            webhook_id = add_webhook(database, options.jobs)
            paths = ["/", "/datasets", f"/datasets/{dataset_id}", f"/datasets/{dataset_id}/items?status=accepted"]
            paths += [f"/jobs/new?dataset={dataset_id}", "/jobs", f"/jobs/{job_id}", "/models", "/docs"]
            paths += [f"/jobs/compare?first={job_id}&second={other_id}", "/service", "/keys"]
            paths += ["/webhooks", f"/webhooks/{webhook_id}"]
            model = f"/models/{add_model(database, job_id)}"
            paths += [
                model,
                f"{model}/map",
                f"{model}/map/7",
                f"{model}/threshold?place=7",
                f"/v1/jobs/{job_id}/report",
            ]
            found = {path: measure(api, path, options.rounds) for path in paths}
            database.dispose()
    for path, times in found.items():
        print(f"{path[:60]:60}  median {times['median_ms']:6.1f} ms   p95 {times['p95_ms']:6.1f} ms")
    worst = max(times["p95_ms"] for times in found.values())
    print(f"Worst p95: {worst:.1f} ms (limit {LIMIT_MS:g} ms)")
    if options.json:
        options.json.write_text(json.dumps({**environment(), "pages": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
