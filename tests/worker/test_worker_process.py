"""The Celery worker as operators start it, over a real broker, killed in every way there is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from sqlalchemy import select

from app.publishing import Queue
from cli.broker import prepare_broker
from cli.services import celery_command, notify_command
from store.clock import utcnow
from store.ids import new_id
from store.tables import AdaptedModel, Job, JobEvent, JobMetric, Webhook, WebhookDelivery
from tests.waiting import WAIT_SECONDS
from worker.celery_app import VISIBILITY_TIMEOUT_SECONDS, create_celery_app, sender
from worker.process_context import WorkerContext
from worker.reaper.rounds import run_once

#: Where no job trains before one would stand ready: it takes seconds of both processors.
WITHOUT_TEMPLATE = {"POUF_WARM_START": "false"}


@pytest.fixture
def redis_url(tmp_path: Path, wait_for: Callable[..., Any]) -> Iterator[str]:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = prepare_broker(folder)
    server = subprocess.Popen(broker.service().command, stdout=subprocess.DEVNULL)
    try:
        wait_for(broker.answers)
        yield broker.url
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def start_worker(tmp_path: Path, redis_url: str) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    workers: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {
        "POUF_DATA_DIR": str(tmp_path),
        "POUF_REDIS_URL": redis_url,
        "POUF_DEVICE": "cpu",
        "POUF_THREADS": "1",
        "POUF_CHECKPOINT_INTERVAL_SECONDS": "0.01",
        "POUF_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "POUF_WEBHOOK_TIMEOUT": "120",
    }

    def start(
        command: tuple[str, ...] = celery_command("train", "train,ingest"), **options: str
    ) -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            workers.append(
                subprocess.Popen(command, env=environment | options, stdout=log, stderr=log, start_new_session=True)
            )
        return workers[-1]

    yield start
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    for worker in workers:
        worker.wait(WAIT_SECONDS)
    sys.stdout.write((tmp_path / "worker.log").read_text())


@pytest.fixture
def send(redis_url: str) -> Callable[..., None]:
    return sender(create_celery_app(redis_url))


def weights(context: WorkerContext, job_id: str) -> bytes:
    with context.database.read() as session:
        key = session.scalars(select(AdaptedModel.storage_key).where(AdaptedModel.job_id == job_id)).one()
    return (context.storage.local_directory(key) / "adapter.safetensors").read_bytes()


def recorded_steps(context: WorkerContext, job_id: str) -> list[int]:
    with context.database.read() as session:
        query = select(JobMetric.step).where(JobMetric.job_id == job_id)
        return list(session.scalars(query.order_by(JobMetric.step)))


def suspended(pid: int) -> list[psutil.Process]:
    """Stop a process and all its children."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    return processes


@pytest.mark.slow  # five workers; tests/chaos has a short form of it, tests/worker/training the parts
def test_a_job_disturbed_in_every_way_ends_with_the_weights_of_an_undisturbed_one(
    context: WorkerContext,
    undisturbed: tuple[WorkerContext, str],
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    send: Any,
    start_worker: Any,
    child_of: Any,
    wait_for: Any,
    settings: Any,
    database: Any,
) -> None:
    job_id = add_job(add_ready_dataset())

    def trains_in_attempt(number: int) -> None:
        wait_for(lambda: (job := get(Job, job_id)).attempt == number and job.stage == "training" and job.step > 0)

    def expire_the_lease() -> None:
        assert get(Job, job_id).status == "running"
        run_once(database, send, utcnow() + timedelta(seconds=settings.lease_seconds), settings, lambda _: None)

    # A worker stands still with all its processes, and comes back when another one has the job.
    sleeper = start_worker()
    send("pouf.train", "train", {"job_id": job_id})
    trains_in_attempt(1)
    stale_child = child_of(sleeper.pid)
    processes = suspended(sleeper.pid)
    expire_the_lease()
    victim = start_worker()
    trains_in_attempt(2)
    for process in processes:
        process.resume()
    wait_for(lambda: not stale_child.is_running())

    # A worker is killed with its pool; its training process ends by itself.
    orphan = child_of(victim.pid)
    victim.kill()
    victim.wait()
    wait_for(lambda: not orphan.is_running())
    expire_the_lease()

    # A worker is asked to stop, by a signal to its whole group: the lease goes back at a step boundary.
    trains_in_attempt(3)
    lost = get(Job, job_id).lost_attempts
    os.killpg(sleeper.pid, signal.SIGTERM)
    sleeper.wait(WAIT_SECONDS)
    job = get(Job, job_id)
    assert (job.status, job.lease_owner) == ("queued", None)
    assert job.lost_attempts <= lost

    # The training process alone is killed: its worker tries again by itself.
    last = start_worker()
    trains_in_attempt(4)
    child_of(last.pid).kill()
    wait_for(lambda: get(Job, job_id).status == "succeeded")

    assert get(Job, job_id).attempt == 5
    assert weights(context, job_id) == weights(*undisturbed)
    assert recorded_steps(context, job_id) == list(range(1, 25))


@pytest.mark.slow  # tests/store/test_leases.py and the duplicate delivery of `undisturbed` have the rule
def test_two_workers_given_the_same_message_run_the_job_once(
    context: WorkerContext,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    send: Any,
    redis_url: str,
    start_worker: Any,
    wait_for: Any,
    database: Any,
) -> None:
    job_id = add_job(add_ready_dataset(), {"tune": "prompt", "max_steps": 1, "batch_size": 8, "selection": "last"})
    for _ in range(4):
        send("pouf.train", "train", {"job_id": job_id})
    for _ in range(2):
        start_worker(**WITHOUT_TEMPLATE)
    wait_for(lambda: get(Job, job_id).status == "succeeded")
    broker = redis.Redis.from_url(redis_url)
    wait_for(lambda: broker.llen("train") == broker.hlen("unacked") == 0)
    job = get(Job, job_id)
    with database.read() as session:
        kinds = session.scalars(select(JobEvent.type).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)).all()
        models = session.scalars(select(AdaptedModel.id).where(AdaptedModel.job_id == job_id)).all()
    assert (job.attempt, job.fence, models) == (1, 1, [job.model_id])
    assert kinds.count("job.running") == kinds.count("job.publishing") == 1


def test_ingestion_and_training_follow_each_other_by_messages(
    add_dataset: Any,
    add_job: Any,
    get: Any,
    send: Any,
    start_worker: Any,
    wait_for: Any,
    make_picture: Any,
) -> None:
    dataset_id = add_dataset({f"{seed}.png": make_picture(seed) for seed in range(4)})
    job_id = add_job(dataset_id, {}, class_names=["lonely"])
    worker = start_worker(**WITHOUT_TEMPLATE)
    send("pouf.train", "train", {"job_id": job_id})
    wait_for(lambda: get(Job, job_id).stage == "waiting_for_dataset")
    assert not any("torch" in path.path for path in psutil.Process(worker.pid).memory_maps())
    send("pouf.ingest", "ingest", {"dataset_id": dataset_id})
    wait_for(lambda: get(Job, job_id).status == "failed")
    assert get(Job, job_id).error_code == "too_few_classes"


def test_settings_that_keep_jobs_safe(redis_url: str) -> None:
    app = create_celery_app(redis_url)
    assert app.conf.task_acks_late and app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert app.conf.accept_content == ["json"]
    assert {queue.name for queue in app.conf.task_queues} == {"train", "ingest", "notify"}
    with app.connection_for_write() as connection, connection.channel() as channel:
        assert channel.visibility_timeout == VISIBILITY_TIMEOUT_SECONDS
        options = channel.client.connection_pool.connection_kwargs
        assert (options["socket_timeout"], options["socket_connect_timeout"]) == (10.0, 5.0)
        assert options["socket_keepalive"] is True


def test_a_message_reaches_its_queue_alone_whichever_application_sends_it(
    redis_url: str, send: Any, start_worker: Any, wait_for: Any
) -> None:
    start_worker(**WITHOUT_TEMPLATE)  # declares the queues it listens to, and leaves `notify` alone
    client = redis.Redis.from_url(redis_url)
    wait_for(lambda: client.exists("_kombu.binding.train", "_kombu.binding.ingest") == 2)
    bindings = {name: client.smembers(f"_kombu.binding.{name}") for name in ("train", "ingest")}
    assert {name: len(members) for name, members in bindings.items()} == {"train": 1, "ingest": 1}
    api = Queue(redis_url)
    for task, queue in (("pouf.train", "train"), ("pouf.ingest", "ingest")):
        api.send(task, queue, {"unknown_argument": "refused by the task, so it cannot do anything"})
    api.send("pouf.notify", "notify", {})
    assert client.llen("notify") == 1
    wait_for(lambda: client.llen("train") == client.llen("ingest") == 0)
    api.close()


@pytest.fixture
def add_delivery(database: Any) -> Callable[[socket.socket], str]:
    """A message to a webhook whose receiver is this listener."""

    def add(listener: socket.socket) -> str:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        hook = Webhook(id=new_id("whk"), owner="local", url=url, event_types=[], secret="whsec_c2VjcmV0")
        columns = {"owner": "local", "job_id": "job_1", "event_type": "job.succeeded", "body": "{}"}
        delivery = WebhookDelivery(id=new_id("msg"), webhook_id=hook.id, **columns)
        with database.write() as session:
            session.add(hook)
            session.flush()
            session.add(delivery)
        return delivery.id

    return add


def test_a_receiver_that_does_not_answer_delays_no_other_and_their_worker_is_light(
    add_delivery: Any, get: Any, send: Any, start_worker: Any, wait_for: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as quick:
        waiting, taken = add_delivery(silent), add_delivery(quick)
        worker = start_worker(notify_command())
        send("pouf.notify", "notify", {"delivery_id": waiting})
        kept, _ = silent.accept()
        send("pouf.notify", "notify", {"delivery_id": taken})
        connection, _ = quick.accept()
        with kept, connection:
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            wait_for(lambda: get(WebhookDelivery, taken).status == "delivered")
            assert (get(WebhookDelivery, waiting).status, get(WebhookDelivery, waiting).attempts) == ("pending", 1)
            process = psutil.Process(worker.pid)
            assert not any("torch" in path.path for path in process.memory_maps())
            assert process.children() == []


def test_a_worker_whose_broker_takes_nothing_for_a_while_goes_on_later(
    add_delivery: Any, redis_url: str, send: Any, start_worker: Any, wait_for: Any, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as receiver, redis.Redis.from_url(redis_url) as broker:
        receiver.settimeout(WAIT_SECONDS)
        broker.config_set("min-replicas-to-write", "1")
        worker = start_worker(notify_command())
        wait_for(lambda: "NOREPLICAS" in (tmp_path / "worker.log").read_text())
        broker.config_set("min-replicas-to-write", "0")
        send("pouf.notify", "notify", {"delivery_id": add_delivery(receiver)})
        connection, _ = receiver.accept()
        connection.close()
        assert worker.poll() is None
