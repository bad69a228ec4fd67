import resource

import pytest

from cli import CommandError
from cli import services as module
from cli.services import services, visible_gpus
from store.queues import TASKS
from store.settings import Settings


@pytest.fixture
def gpus(monkeypatch):
    def set_gpus(*names):
        monkeypatch.setattr(module, "_gpu_names", lambda: list(names))

    return set_gpus


def test_the_cpu_gets_one_train_worker():
    parts = services(Settings(port=8123), gpus=[])
    assert [part.name for part in parts] == ["api", "train", "ingest", "notify", "reaper"]
    assert parts[1].environment == {"CUDA_VISIBLE_DEVICES": "", "POUF_DEVICE": "cpu"}
    assert "8123" in parts[0].command


def test_each_gpu_gets_a_train_worker_that_sees_no_other():
    parts = services(Settings(device="cuda"), gpus=["0", "GPU-5ebe"])
    assert {part.name: dict(part.environment) for part in parts if "train" in part.name} == {
        "train-0": {"CUDA_VISIBLE_DEVICES": "0", "POUF_DEVICE": "cuda"},
        "train-1": {"CUDA_VISIBLE_DEVICES": "GPU-5ebe", "POUF_DEVICE": "cuda"},
    }


def test_a_train_worker_sees_the_gpus_that_a_job_takes_together():
    parts = services(Settings(device="cuda", gpus_per_job=2), gpus=["0", "1", "2"])
    assert [part.environment["CUDA_VISIBLE_DEVICES"] for part in parts if "train" in part.name] == ["0,1", "2"]


def test_the_device_setting_chooses_gpus(gpus):
    gpus("3", "5")
    assert visible_gpus("auto") == ["3", "5"]
    assert visible_gpus("cuda") == ["3", "5"]
    assert visible_gpus("cuda:1") == ["5"]
    assert visible_gpus("cpu") == []


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_missing_gpu_is_reported(gpus, device):
    gpus()
    assert visible_gpus("auto") == []
    with pytest.raises(CommandError, match="finds no GPU"):
        visible_gpus(device)


def test_a_gpu_number_that_does_not_exist_is_reported(gpus):
    gpus("0")
    with pytest.raises(CommandError, match=r"finds 1 GPU\(s\)"):
        visible_gpus("cuda:1")


def test_a_temporary_service_starts_nothing_that_a_dataset_and_its_job_do_not_need():
    parts = {part.name: part for part in services(Settings(), gpus=[], temporary=True)}
    assert list(parts) == ["api", "train", "reaper"]
    assert parts["api"].environment == {"POUF_PRELOAD": "false"}
    queues = parts["train"].command[parts["train"].command.index("-Q") + 1]
    assert set(queues.split(",")) == {task.queue for task in TASKS}


@pytest.mark.parametrize(("files", "options"), [(1_048_576, ()), (8192, ()), (1024, ("--backlog", "64"))])
def test_an_api_that_may_open_few_files_takes_few_connections_at_once(monkeypatch, files, options):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, files))
    assert services(Settings(), gpus=[])[0].command == (*module.api_command("127.0.0.1", 8000), *options)
