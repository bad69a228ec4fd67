"""The report of a job with predictions: counts, and the most-changed items by name."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np

from app.predicted.summary import MOST_ITEMS


def test_the_report_names_the_items_whose_change_both_variants_are_surest_of(
    predicted: Any, rows: Any, api: Any
) -> None:
    job = predicted(60)
    records = job.stored.records[job.stored.changed]
    sureness = np.minimum(records["probability"], records["zero_shot_probability"])
    ordered = [records["sha256"][place].tobytes().hex() for place in np.argsort(-sureness)]
    page = api.get(f"/v1/jobs/{job.job_id}/report").text
    most_changed = page[page.index("Items that changed most") :]
    assert f"{len(records)} of 60 items" in page
    shown, left_out = ordered[:MOST_ITEMS], ordered[MOST_ITEMS:]
    assert left_out
    places = [most_changed.index(f'title="{job.names[sha256]}"') for sha256 in shown]
    assert places == sorted(places)
    assert not any(f'title="{job.names[sha256]}"' in most_changed for sha256 in left_out)


def test_the_report_stands_without_predictions(predicted: Any, rows: Any, api: Any) -> None:
    job = predicted(3)
    shutil.rmtree(rows.storage.local_directory(job.key))
    answer = api.get(f"/v1/jobs/{job.job_id}/report")
    assert answer.status_code == 200
    assert "changed most" not in answer.text
