"""One job, killed again and again at random moments."""

import random

import psutil
import pytest

from pouf_client import Client
from tests.chaos.pictures import copy_pictures
from tests.chaos.service import ChaosService, chaos_service
from tests.chaos.workload import CLASSES, weights_of

KILLS = 10
STEPS = 300
METHOD = {"tune": "prompt", "max_steps": STEPS, "batch_size": 8, "selection": "last"}
# Every step is a checkpoint, so that moments fall before, between and in the middle of them. The cap is the default.
ENVIRONMENT = {"POUF_CHECKPOINT_INTERVAL_SECONDS": "0.001", "POUF_MAX_LOST_ATTEMPTS": "3"}


def the_job_process(service: ChaosService) -> psutil.Process:
    while not (found := service.job_children()):
        service.wait(0.1)
    return found[0]


def kill(service: ChaosService, process: psutil.Process) -> None:
    process.kill()
    while process in service.job_children():
        service.wait(0.05)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_job_killed_at_ten_random_moments_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    randomness = random.Random(7)
    pictures = copy_pictures(tmp_path / "pictures", CLASSES, 4)
    with (
        chaos_service(tmp_path / "data", database_url=None, train_workers=1, environment=ENVIRONMENT) as service,
        Client(service.url) as client,
    ):
        dataset = client.datasets.create(pictures, wait=True)
        uninterrupted = client.jobs.wait(client.jobs.create(dataset.id, CLASSES, method=METHOD, seed=5).id)
        job = client.jobs.create(dataset.id, CLASSES, method=METHOD, seed=5)
        for step in sorted(randomness.sample(range(STEPS - 5), KILLS // 2)):
            process = the_job_process(service)
            service.wait(randomness.uniform(0, 4))  # while it starts and loads
            kill(service, process)
            process = the_job_process(service)
            while not ((now := client.jobs.get(job.id)).stage == "training" and now.step > step):
                assert not now.final, now
                service.wait(0.05)
            service.wait(randomness.uniform(0, 0.5))
            kill(service, process)
        done = client.jobs.wait(job.id)
        assert done.attempt == KILLS + 1
        assert weights_of(client, done.model_id) == weights_of(client, uninterrupted.model_id)
