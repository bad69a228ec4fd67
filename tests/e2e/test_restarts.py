"""A job that `pouf up` is stopped under goes on when it is started again."""

import os
import signal
import time

import psutil
import pytest

from cli.processes import marked_processes
from cli.temporary_service import temporary_service
from pouf_client import Client, Job
from tests.e2e.conftest import CLASSES

STEPS = 120


def start_job(client: Client, clipart, steps: int = STEPS) -> Job:
    """A job that has a step behind it."""
    dataset = clipart.upload(client, "clip art")
    method = {"tune": "prompt", "max_steps": steps, "batch_size": 8, "selection": "last"}
    job = client.jobs.create(dataset.id, CLASSES, method=method)
    while not ((job := client.jobs.get(job.id)).stage == "training" and job.step >= 1):
        assert not job.final, job
        time.sleep(0.1)
    return job


def finish(client: Client, job: Job, clipart) -> Job:
    done = client.jobs.wait(job.id)
    assert [entry["step"] for entry in client.jobs.metrics(job.id)][-1] == STEPS
    models = [model.id for model in client.models.list() if model.job_id == job.id]
    assert models == [done.model_id]
    answer = client.predict([next(iter(clipart.folder.glob("*.jpg")))], done.model_id)
    assert answer.items[0].label in CLASSES
    return done


@pytest.mark.slow  # tests/chaos has a short form of it, tests/machines that of all parts
def test_a_job_goes_on_after_sigterm_and_a_new_start(tmp_path, clipart):
    with temporary_service(tmp_path) as service, Client(service.url) as client:
        job = start_job(client, clipart)
    assert marked_processes(tmp_path.resolve()) == []
    with temporary_service(tmp_path) as service, Client(service.url) as client:
        done = finish(client, job, clipart)
    assert done.attempt == 2
    assert marked_processes(tmp_path.resolve()) == []


@pytest.mark.slow
def test_a_job_goes_on_after_its_supervisor_was_killed(tmp_path, clipart, monkeypatch):
    monkeypatch.setenv("POUF_LEASE_SECONDS", "15")
    monkeypatch.setenv("POUF_LEASE_RENEW_SECONDS", "2")
    with temporary_service(tmp_path) as service, Client(service.url) as client:
        job = start_job(client, clipart)
        os.kill(service.pid, signal.SIGKILL)
    with temporary_service(tmp_path) as service, Client(service.url) as client:
        finish(client, job, clipart)
    assert marked_processes(tmp_path.resolve()) == []


@pytest.mark.slow
def test_a_job_goes_on_after_every_process_was_killed_at_once(tmp_path, clipart, monkeypatch):
    monkeypatch.setenv("POUF_LEASE_SECONDS", "15")
    monkeypatch.setenv("POUF_LEASE_RENEW_SECONDS", "2")
    with temporary_service(tmp_path) as service, Client(service.url) as client:
        job = start_job(client, clipart)
        for process in [psutil.Process(service.pid), *marked_processes(tmp_path.resolve())]:
            process.kill()
    with temporary_service(tmp_path) as service, Client(service.url) as client:
        finish(client, job, clipart)
    assert marked_processes(tmp_path.resolve()) == []
