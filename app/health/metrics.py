"""The metrics of jobs, predictions and disks, read when `/metrics` is asked for; `app.http.metrics` counts requests."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.registry import Collector

from app.health.queries import UseReader, pending_webhooks
from app.http.metric_descriptions import BY_NAME
from app.jobs.queries import counts_by_status, oldest_queued_at
from app.state import State
from store import disk, heartbeats, observations
from store.clock import utcnow
from store.leases import database_now
from store.observations import BUCKETS, Total
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
        self._owners = UseReader(state.settings.metrics_owners)

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering the collector does not read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they are now."""
        yield from self._of_the_database()
        yield from self._of_this_process()

    def _of_the_database(self) -> Iterator[Metric]:
        with self._state.database.read() as session:
            scope = Scope(session, self._state.settings.owner)
            jobs = counts_by_status(scope)
            oldest = oldest_queued_at(scope)
            now, workers = database_now(session), heartbeats.seen(session)
            counted = observations.totals(session)
            owners = self._owners.read(session, counted)
            pending = pending_webhooks(session)
        yield _labelled(GaugeMetricFamily, "pouf_jobs", jobs)
        waited = 0.0 if oldest is None else max((utcnow() - oldest).total_seconds(), 0.0)
        yield _number("pouf_oldest_queued_seconds", waited)
        yield _histogram("pouf_job_wait_seconds", [each for each in counted if each.metric == "job_wait_seconds"])
        yield _histogram("pouf_job_seconds", [each for each in counted if each.metric == "job_seconds"])
        yield _labelled(CounterMetricFamily, "pouf_job_failures", _by_label(counted, "job_failures"))
        yield _labelled(CounterMetricFamily, "pouf_webhook_attempts", _by_label(counted, "webhooks"))
        yield _number("pouf_webhooks_pending", pending)
        yield _labelled(CounterMetricFamily, "pouf_owner_job_seconds", owners.job_seconds)
        yield _labelled(GaugeMetricFamily, "pouf_owner_stored_bytes", owners.stored_bytes)
        yield _labelled(GaugeMetricFamily, "pouf_owner_unfinished_jobs", owners.unfinished_jobs)
        yield _last_seen(workers)
        yield from _reaper_lag(workers, now)

    def _of_this_process(self) -> Iterator[Metric]:
        state = self._state
        space = disk.scarcest(state.settings, state.storage)
        yield _labelled(GaugeMetricFamily, "pouf_disk_bytes", {"free": space.free, "floor": space.floor})
        batcher = state.engine.batcher
        yield _number("pouf_predict_queue_items", batcher.depth)
        yield from _counted_here("pouf_predict_batches", batcher.batches)
        yield from _counted_here("pouf_predict_items", batcher.items)
        yield from _counted_here("pouf_batcher_restarts", batcher.restarts)
        yield _number("pouf_storage_up", float(self._storage_answers()))
        yield _labelled(GaugeMetricFamily, "pouf_model_cache", state.engine.cache.usage())
        yield _labelled(GaugeMetricFamily, "pouf_base_model_cache", state.engine.base_models.usage())

    def _storage_answers(self) -> bool:
        if self._asked is None or self._asked.done():
            self._asked = self._asking.submit(self._state.storage.ping)
        try:
            self._asked.result(STORAGE_SECONDS)
        except (StorageUnavailable, TimeoutError):
            return False
        return True


def _last_seen(workers: Sequence[Heartbeat]) -> Metric:
    described = BY_NAME["pouf_worker_last_seen"]
    family = GaugeMetricFamily(described.name, described.meaning, labels=described.labels)
    for worker in workers:
        family.add_metric([worker.kind, worker.name], worker.seen_at.timestamp())
    return family


def _reaper_lag(workers: Sequence[Heartbeat], now: datetime) -> Iterator[Metric]:
    rounds = [worker.seen_at for worker in workers if worker.kind == heartbeats.REAPER]
    if rounds:
        yield _number("pouf_reaper_lag_seconds", max((now - max(rounds)).total_seconds(), 0.0))


def _number(name: str, value: float) -> Metric:
    return GaugeMetricFamily(name, BY_NAME[name].meaning, value)


def _labelled(
    family_of: type[GaugeMetricFamily | CounterMetricFamily], name: str, values: Mapping[str, float]
) -> Metric:
    """A metric with a series for each value of its one label."""
    family = family_of(name, BY_NAME[name].meaning, labels=BY_NAME[name].labels)
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def _by_label(counted: Iterable[Total], metric: str) -> dict[str, float]:
    return {each.label: each.total for each in counted if each.metric == metric}


def _histogram(name: str, counted: Iterable[Total]) -> Metric:
    """A histogram of what was counted of one metric; its buckets hold all that took up to their bound."""
    described = BY_NAME[name]
    family = HistogramMetricFamily(name, described.meaning, labels=described.labels)
    for label, group in itertools.groupby(counted, lambda each: each.label):
        found = {float(each.bucket): each for each in group}
        up_to = itertools.accumulate(found[bound].events if bound in found else 0 for bound in BUCKETS)
        buckets = [(str(bound).replace("inf", "+Inf"), number) for bound, number in zip(BUCKETS, up_to, strict=True)]
        family.add_metric([label] * len(described.labels), buckets, sum(each.total for each in found.values()))
    return family


def _counted_here(name: str, value: float) -> Iterator[Metric]:
    """Yield the counter `<name>_total`, and its value without a type under the bare `name`, which came first."""
    yield CounterMetricFamily(name, BY_NAME[name].meaning, value)
    yield UnknownMetricFamily(name, f"The same as {name}_total, under its former name.", value)
