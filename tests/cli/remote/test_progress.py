"""Ctrl-C while a command waits: what goes on at the service is named, with how to get back to it."""

import pytest

from cli.exit_codes import ExitCode
from pouf_client.datasets import Datasets
from pouf_client.jobs import Jobs


def interrupted(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a fine film\na dull film\n")
    return path


def test_a_dataset_that_is_read_still_is_named(pouf, server, file, monkeypatch):
    monkeypatch.setattr(Datasets, "wait", interrupted)
    stopped = pouf("datasets", "push", file)
    (dataset,) = server.get("/v1/datasets").json()["data"]
    assert stopped.exit_code == ExitCode.INTERRUPTED
    assert f"pouf datasets show {dataset['id']}" in stopped.stderr


def test_a_job_that_is_cancelled_is_named(pouf, server, file, monkeypatch):
    monkeypatch.setattr(Datasets, "wait", lambda self, dataset_id, **_: self.get(dataset_id))
    monkeypatch.setattr(Jobs, "wait", interrupted)
    stopped = pouf(
        "label", file, "--url", str(server.base_url), "--classes", "fine,dull", "-o", file.with_suffix(".csv")
    )
    (job,) = server.get("/v1/jobs").json()["data"]
    assert stopped.exit_code == ExitCode.INTERRUPTED
    assert job["status"] == "cancelled"
    assert f"pouf jobs retry {job['id']}" in stopped.stderr
