from typing import Any

import pytest


@pytest.fixture
def job() -> dict[str, Any]:
    """The document of a job that has succeeded."""
    return {
        "id": "job_1",
        "name": "pets",
        "status": "succeeded",
        "stage": None,
        "status_transitions": [{"status": "succeeded", "stage": None, "at": "2026-01-01T00:00:00Z"}],
        "dataset_id": "ds_1",
        "class_features_dataset_id": None,
        "base_model": "pouf-lite",
        "class_names": ["bird", {"name": "boat", "prompt": "sailing boat"}, "cat"],
        "prompt_template": ["a photo of a {}."],
        "method": {"type": "pouf", "tune": "prompt", "max_steps": 8},
        "quality": "best",
        "seed": 0,
        "evaluation": None,
        "no_evaluation": None,
        "estimated_gain": None,
        "verdict": None,
        "verdict_reasons": [],
        "fallback": None,
        "selected_step": 8,
        "model_id": "mdl_1",
        "model_deleted": False,
        "error": None,
        "warnings": [],
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": None,
        "finished_at": None,
        "urls": {"predict": "/v1/models/mdl_1/predict"},
    }
