"""How answers look in notebooks."""

from html.parser import HTMLParser

import pytest

from pouf_client import Audit, BatchPrediction, Dataset, Job, Model, Predictions
from pouf_client.dataset_samples import DatasetSample

UNSAFE = "<img src=x onerror=alert(1)>"
GAIN = {"points": 3.14, "low": 1.0, "high": 5.0}
SAMPLED = {"name": UNSAFE, "text": "It broke.", "label": None, "message": None}
SAMPLE = {"complete": True, "modality": "text", "item_count": 2, "duplicate_count": 0, "rejected_count": 1}
SAMPLE |= {"labelled_count": 0, "suggested_class_names": [], "rejections": [], "warnings": []}
DRAWN = {"name": UNSAFE, "text": None, "label": "boat", "probability": 0.75, "answer": None}
AUDIT = {"id": "aud_1", "job_id": "job_1", "size": 9, "counts": {"answered": 4}, "estimate": None, "proposal": None}
SHOWN = [
    (DatasetSample.of(SAMPLE | {"items": [SAMPLED, SAMPLED | {"message": "It is empty."}]}), "It is empty."),
    (Audit.of(AUDIT | {"items": [DRAWN]}), "0.750"),
    (Dataset.of({"id": "ds_1", "status": "failed", "name": UNSAFE, "error": {"code": "a", "message": "No."}}), "No."),
    (
        Job.of({"id": "job_1", "status": "succeeded", "dataset_id": "ds_1", "name": UNSAFE, "estimated_gain": GAIN}),
        "+3.1",
    ),
    (Model.of({"id": "mdl_1", "base_model": "pouf-lite", "class_names": [UNSAFE, "boat"]}), "boat"),
    (
        Predictions.of(
            {
                "model_id": "mdl_1",
                "requested_variant": "adapted",
                "served_variant": "adapted",
                "predictions": [{"index": index, "name": UNSAFE, "label": "bird", "score": 0.5} for index in range(30)],
            }
        ),
        "and 10 more",
    ),
    (
        BatchPrediction.of(
            {
                "id": "bat_1",
                "name": UNSAFE,
                "status": "running",
                "attempt": 1,
                "model_id": "mdl_1",
                "dataset_id": "ds_1",
                "item_count": 9,
                "progress": {"step": 3, "total_steps": 9},
            }
        ),
        "3 of 9",
    ),
]


class Read(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize(("answer", "said"), SHOWN, ids=lambda each: type(each).__name__)
def test_an_answer_is_a_table_whose_texts_are_escaped(answer, said):
    read = Read()
    read.feed(answer._repr_html_())
    assert read.tags <= {"table", "caption", "tr", "th", "td"}
    assert any(UNSAFE in text for text in read.text)
    assert any(said in text for text in read.text)
