"""A job over a vision-language model of transformers through the service's own pieces, upload to prediction."""

import io
from pathlib import Path

from fastapi.testclient import TestClient

from app.main import create_app
from store.settings import Settings
from tests.pouf_core.architecture_cases import save_family
from tests.pouf_core.conftest import CLASS_NAMES, draw_shape
from tests.pouf_core.transformers_families import TRANSFORMERS
from tests.worker.warm_jobs import run_job
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext


def picture(index: int) -> bytes:
    file = io.BytesIO()
    draw_shape(CLASS_NAMES[index % 3], index).save(file, "png")
    return file.getvalue()


def test_uploaded_pictures_become_an_adapted_model_that_answers(
    context: WorkerContext, settings: Settings, tmp_path: Path
) -> None:
    spec = f"hf-align:{save_family(TRANSFORMERS['hf-siglip'], tmp_path / 'base')}"
    allowed = settings.model_copy(update={"base_models": [f"hf-align:{tmp_path}/*"]})
    with TestClient(create_app(allowed)) as api:
        files = [("files", (f"{index}.png", picture(index))) for index in range(12)]
        dataset = api.post("/v1/datasets", files=files).json()
        run_ingestion(context, dataset["id"])
        body = {
            "dataset_id": dataset["id"],
            "base_model": spec,
            "class_names": CLASS_NAMES,
            "method": {"tune": "norm", "max_steps": 2, "batch_size": 6, "selection": "last"},
        }
        created = api.post("/v1/jobs", json=body)
        assert created.status_code == 202, created.json()
        run_job(context, created.json()["id"])
        job = api.get(created.headers["Location"]).json()
        assert (job["status"], job["error"]) == ("succeeded", None)
        form = {"model": job["model_id"], "variant": "adapted"}
        answer = api.post("/predict", data=form, files=[("image", ("1.png", picture(1)))]).json()
        assert answer["predictions"][0]["label"] in CLASS_NAMES
        (base,) = [item for item in api.get("/v1/base-models").json()["data"] if item["name"] == spec]
        assert (base["family"], base["modality"], base["loaded"]) == ("hf-align", "image", True)
