"""The processes that make up the service, and how each is started. docker-compose.yml runs the same commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from app.http.open_files import USUAL_BACKLOG, backlog
from cli import CommandError
from cli.processes import Service
from store.queues import TASKS, TRAIN
from store.setting_names import variable_of
from store.settings import Settings

ON_CPU = {"CUDA_VISIBLE_DEVICES": "", "POUF_DEVICE": "cpu"}
NOTIFY_THREADS = 8
#: Owners whose datasets are ingested side by side.
INGESTIONS = 3
COUNT_GPUS = "import torch; print(torch.cuda.device_count())"


def services(settings: Settings, gpus: list[str], *, temporary: bool = False) -> list[Service]:
    """The API, train workers of so many GPUs (one without), workers for ingestion and webhooks, the reaper.

    A temporary service begins with what a dataset and its job need, since somebody waits: workers do whatever there is
    to do, one thing after the other, and the API loads a base model when predictions are first asked for.
    """
    api = (*api_command(settings.host, settings.port), *_few_at_once())
    if temporary:
        return [
            Service("api", api, {variable_of("preload"): "false"}),
            *train_workers(gpus, settings.gpus_per_job, ",".join(sorted({task.queue for task in TASKS}))),
            Service("reaper", (sys.executable, "-m", "worker.reaper"), ON_CPU),
        ]
    return [
        Service("api", api),
        *train_workers(gpus, settings.gpus_per_job),
        Service("ingest", celery_command("ingest", "ingest", INGESTIONS), ON_CPU),
        Service("notify", notify_command(), ON_CPU),
        Service("reaper", (sys.executable, "-m", "worker.reaper"), ON_CPU),
    ]


def api_command(host: str, port: int) -> tuple[str, ...]:
    """Uvicorn; open event streams get 10 s to end when it stops."""
    options = (
        "--host",
        host,
        "--port",
        str(port),
        "--http",
        "app.http.protocol:SlowClientProtocol",
        "--no-access-log",
        "--no-server-header",
        "--timeout-graceful-shutdown",
        "10",
    )
    return (sys.executable, "-m", "uvicorn", "app.main:app", *options)


def _few_at_once() -> tuple[str, ...]:
    """What the API's command needs besides where the system lets it open few files."""
    found = backlog()
    return () if found == USUAL_BACKLOG else ("--backlog", str(found))


def celery_command(name: str, queues: str, processes: int = 1) -> tuple[str, ...]:
    """One worker that takes so many messages at a time from `queues`."""
    options = ("-Q", queues, "-c", str(processes), "--prefetch-multiplier", "1", "-n", f"{name}@%h")
    return (sys.executable, "-m", "celery", "-A", "worker.celery_app", "worker", *options)


def notify_command() -> tuple[str, ...]:
    """A worker for webhooks: threads, which only wait for receivers, so that a slow one delays no other."""
    options = ("-Q", "notify", "-P", "threads", "-c", str(NOTIFY_THREADS), "--prefetch-multiplier", "1")
    return (sys.executable, "-m", "celery", "-A", "worker.celery_app", "worker", *options, "-n", "notify@%h")


def train_workers(gpus: list[str], gpus_each: int = 1, queues: str = TRAIN.queue) -> list[Service]:
    """Workers that see so many GPUs each and no other, the last one what is left; without GPUs one for the CPU."""
    if not gpus:
        return [Service("train", celery_command("train", queues), ON_CPU)]
    shares = [gpus[start : start + gpus_each] for start in range(0, len(gpus), gpus_each)]
    return [
        # The first GPU that a worker sees is its number 0, whatever `cuda:N` the setting names.
        Service(
            f"train-{i}",
            celery_command(f"train-{i}", queues),
            {"CUDA_VISIBLE_DEVICES": ",".join(share), "POUF_DEVICE": "cuda"},
        )
        for i, share in enumerate(shares)
    ]


def visible_gpus(device: str) -> list[str]:
    """The GPUs to train on, each as a value for CUDA_VISIBLE_DEVICES; empty on the CPU.

    Args:
        device: the setting: `auto`, `cpu`, `cuda` (every GPU) or `cuda:N` (that one).

    Raises:
        CommandError: a GPU is asked for that is not there.
    """
    if device == "cpu":
        return []
    names = _gpu_names()
    if device == "auto":
        return names
    if not names:
        raise CommandError(f"POUF_DEVICE is {device}, but PyTorch finds no GPU. Use POUF_DEVICE=cpu or auto.")
    if device == "cuda":
        return names
    index = int(device.removeprefix("cuda:"))
    if index >= len(names):
        raise CommandError(f"POUF_DEVICE is {device}, but PyTorch finds {len(names)} GPU(s), numbered from 0.")
    return [names[index]]


def _gpu_names() -> list[str]:
    """Asked of PyTorch, in a short process of its own: importing it here would hold its memory for good."""
    if not Path("/dev/nvidiactl").exists() and shutil.which("nvidia-smi") is None:
        return []
    command = [sys.executable, "-c", COUNT_GPUS]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if answer.returncode != 0:
        raise CommandError(f"Counting the GPUs failed:\n{answer.stderr.strip()}")
    chosen = [entry.strip() for entry in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if entry.strip()]
    count = int(answer.stdout.split()[-1])
    return chosen[:count] if chosen else [str(i) for i in range(count)]
