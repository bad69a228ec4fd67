"""The metrics of jobs, predictions and disks, read when `/metrics` is asked for; `app.http.metrics` counts requests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

from app.jobs.queries import counts_by_status, oldest_queued_at
from app.state import State
from store import disk, heartbeats
from store.clock import utcnow
from store.leases import database_now
from store.outages import StorageUnavailable
from store.scope import Scope
from store.tables import Heartbeat

#: Longer than this `/metrics` does not wait for the storage.
STORAGE_SECONDS = 2.0


class ServiceMetrics(Collector):
    """Reads the numbers of a running process; one metric is one line in `collect`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="storage-ping")
        self._asked: Future[None] | None = None

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering the collector does not read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they are now."""
        state = self._state
        with state.database.read() as session:
            scope = Scope(session, state.settings.owner)
            jobs = counts_by_status(scope)
            oldest = oldest_queued_at(scope)
            now, workers = database_now(session), heartbeats.seen(session)
        batcher = state.engine.batcher
        space = disk.scarcest(state.settings, state.storage)
        bytes_of_disk = {"free": space.free, "floor": space.floor}
        yield _by_kind("pouf_disk_bytes", "Of the scarcest disk: free, and to stay free.", bytes_of_disk)
        yield _by_kind("pouf_jobs", "Jobs by status.", jobs)
        waited = 0.0 if oldest is None else max((utcnow() - oldest).total_seconds(), 0.0)
        yield GaugeMetricFamily("pouf_oldest_queued_seconds", "Seconds that a job has waited for a worker.", waited)
        yield GaugeMetricFamily("pouf_predict_queue_items", "Items waiting for an encoder.", batcher.depth)
        yield from _counter("pouf_predict_batches", "Batches that went through an encoder.", batcher.batches)
        yield from _counter("pouf_predict_items", "Items that went through an encoder.", batcher.items)
        yield from _counter("pouf_batcher_restarts", "Times that the batcher had to start again.", batcher.restarts)
        yield _last_seen(workers)
        yield from _reaper_lag(workers, now)
        storage_up = float(self._storage_answers())
        yield GaugeMetricFamily("pouf_storage_up", "1 while the object storage answers.", storage_up)
        cache = state.engine.cache.usage()
        yield _by_kind("pouf_model_cache", "Loaded models, their bytes, and those in use.", cache)
        bases = state.engine.base_models.usage()
        yield _by_kind("pouf_base_model_cache", "Loaded base models, and the bytes of their weights.", bases)

    def _storage_answers(self) -> bool:
        if self._asked is None or self._asked.done():
            self._asked = self._asking.submit(self._state.storage.ping)
        try:
            self._asked.result(STORAGE_SECONDS)
        except (StorageUnavailable, TimeoutError):
            return False
        return True


def _last_seen(workers: Sequence[Heartbeat]) -> Metric:
    documentation = "When a worker or reaper was last seen, in seconds since 1970."
    family = GaugeMetricFamily("pouf_worker_last_seen", documentation, labels=["kind", "worker"])
    for worker in workers:
        family.add_metric([worker.kind, worker.name], worker.seen_at.timestamp())
    return family


def _reaper_lag(workers: Sequence[Heartbeat], now: datetime) -> Iterator[Metric]:
    rounds = [worker.seen_at for worker in workers if worker.kind == heartbeats.REAPER]
    if rounds:
        lag = max((now - max(rounds)).total_seconds(), 0.0)
        yield GaugeMetricFamily("pouf_reaper_lag_seconds", "Seconds since a reaper last began a round.", lag)


def _by_kind(name: str, documentation: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["kind"])
    for kind, value in values.items():
        family.add_metric([kind], value)
    return family


def _counter(name: str, documentation: str, value: float) -> Iterator[Metric]:
    """Yield the counter `<name>_total`, and its value without a type under the bare `name`, which came first."""
    yield CounterMetricFamily(name, documentation, value)
    yield UnknownMetricFamily(name, f"The same as {name}_total, under its former name.", value)
