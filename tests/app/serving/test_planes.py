"""Maps of features: made once, beside the predictions, with which they go."""

import re
from subprocess import CompletedProcess
from unittest.mock import Mock

import numpy as np
import pytest

from app.serving import planes
from app.serving.planes import Planes
from pouf_core.predictions.stored import write_features
from store.outages import StorageUnavailable
from store.tables import Job
from tests.app.predicted.conftest import predicted
from tests.waiting import wait_for

__all__ = ["predicted"]  # a fixture


FULL = Mock(return_value=CompletedProcess([], 1, b"", b"OSError: [Errno 28] No space left on device"))
AWAY = Mock(side_effect=StorageUnavailable("away"))
NAN = np.full((6, 4), np.nan, np.float16)


def features(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 4)).astype(np.float16)


def test_a_map_is_made_in_the_background_and_then_shown(api, rows, predicted, storage):
    made = predicted(30)
    page = f"/models/{rows.model_of(made.job_id)}/map"
    assert "no map of these items" in api.get(page).text
    write_features(storage.local_directory(made.key), features(20))
    assert "being made" in api.get(page).text
    wait_for(lambda: "<circle" in api.get(page).text, lambda: api.get(page).text)
    shown = api.get(page).text
    assert len(re.findall(r"<circle cx=\"\d+\" cy=\"\d+\" r=\"12\"", shown)) == 20
    assert "20 of the 30 items" in shown
    first = api.get(f"{page}/0").text
    assert made.names[made.stored.hashes[0]].rpartition("/")[2] in first
    assert f"{made.stored.hashes[0]}/thumbnail" in first
    assert "not there any more" in api.get(f"{page}/30").text


@pytest.mark.slow
def test_maps_that_were_made_take_no_place_of_others_and_what_failed_is_not_tried_again(
    api, rows, predicted, storage, monkeypatch
):
    monkeypatch.setattr(planes, "MOST_WAITING", 1)
    for seed, content, said in ((0, features(6), "<circle"), (1, features(6), "<circle"), (2, NAN, "no map of these")):
        made = predicted(6, [f"{seed}/{place}.png" for place in range(6)])
        write_features(storage.local_directory(made.key), content)
        page = f"/models/{rows.model_of(made.job_id)}/map"
        assert "being made" in api.get(page).text
        wait_for(lambda page=page, said=said: said in api.get(page).text)
    assert "no map of these" in api.get(page).text


@pytest.mark.parametrize("away", [(Planes, "_lay_out", AWAY), (planes, "run_tied", FULL)])
def test_a_map_that_an_outage_prevented_is_made_later(api, rows, predicted, storage, monkeypatch, application, away):
    made = predicted(6)
    page = f"/models/{rows.model_of(made.job_id)}/map"
    write_features(storage.local_directory(made.key), features(6))
    maps = application.state.pouf.planes
    with monkeypatch.context() as outage:
        outage.setattr(*away)
        assert "being made" in api.get(page).text
        wait_for(lambda: not maps._made)
    monkeypatch.setattr(maps, "_lay_out", Mock())
    assert "being made" in api.get(page).text


def test_features_that_are_damaged_have_no_map(api, rows, predicted, storage):
    made = predicted(6)
    page = f"/models/{rows.model_of(made.job_id)}/map"
    folder = storage.local_directory(made.key)
    write_features(folder, features(6))
    (folder / "features.npy").write_bytes((folder / "features.npy").read_bytes()[:90])
    assert "no map of these items" in api.get(page).text


def test_a_map_goes_with_the_job(api, rows, predicted, storage, database):
    made = predicted(6)
    storage.put_stream(f"{made.key}/plane.npy", [b"abc"])
    with database.write() as session:
        assert session.get_one(Job, made.job_id).predictions_key == made.key
    assert api.delete(f"/v1/jobs/{made.job_id}").status_code == 204
    assert not storage.exists(f"{made.key}/plane.npy")
