"""A job through the real service: API, broker, train worker, job process."""

from __future__ import annotations

import os
import shutil
from typing import Any

from cli.temporary_service import temporary_service
from gpu_checks.setting import CLASS_NAMES, Setting, require
from pouf_client import Client

PICTURES = 32
METHODS: tuple[dict[str, Any], ...] = ({}, {"tune": "head", "max_steps": 3, "batch_size": 16, "selection": "last"})


def job(setting: Setting) -> dict[str, Any]:
    """A default job and one that trains, and a prediction by the model of the latter."""
    data = setting.folder / "service"
    shutil.rmtree(data, ignore_errors=True)
    os.environ["POUF_DEVICE"] = str(setting.device)
    found = {}
    with temporary_service(data) as service, Client(service.url) as client:
        dataset = client.datasets.create(setting.pictures[:PICTURES], wait=True)
        for method in METHODS:
            created = client.jobs.create(dataset.id, list(CLASS_NAMES), method=method or None)
            ended = client.jobs.wait(created.id)
            name = str(method.get("tune", "default"))
            require(ended.status == "succeeded", f"the {name} job ended as {ended.status}: {ended.raw.get('error')}")
            ran_on = str(ended.raw["method"]["device"])
            require(ran_on.startswith(setting.device.type), f"the {name} job ran on {ran_on}")
            found[name] = {"timings": ended.raw.get("timings"), "device": ran_on}
        assert ended.model_id is not None
        answers = client.predict([setting.pictures[0]], ended.model_id)
        require(len(answers.items) == 1, "the service gave no prediction")
    return found
