"""Every metric of `/metrics`: its name, type, labels and meaning; `make docs` writes them into the documentation."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricDescription:
    """A metric. The name of a counter is without `_total`, which Prometheus's format appends."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def shown_name(self) -> str:
        """As queries name it."""
        return f"{self.name}_total" if self.type == "counter" else self.name


DESCRIPTIONS = (
    MetricDescription(
        "pouf_http_requests",
        "counter",
        "HTTP requests; status 0 when the client left before an answer began.",
        ("method", "route", "status"),
    ),
    MetricDescription(
        "pouf_http_request_seconds", "histogram", "Seconds until the last byte of an answer.", ("method", "route")
    ),
    MetricDescription("pouf_jobs", "gauge", "Jobs by status.", ("kind",)),
    MetricDescription(
        "pouf_oldest_queued_seconds",
        "gauge",
        "Seconds that the job at the head of the queue has waited for a worker; 0 when none waits.",
    ),
    MetricDescription(
        "pouf_job_wait_seconds",
        "histogram",
        "Seconds from a job's place in the queue to each start by a worker, with what its dataset's reading took.",
    ),
    MetricDescription(
        "pouf_job_seconds",
        "histogram",
        "Seconds that ended jobs ran, all of their attempts together, by how they ended.",
        ("status",),
    ),
    MetricDescription("pouf_job_failures", "counter", "Failed jobs by their error's code.", ("code",)),
    MetricDescription(
        "pouf_webhook_attempts",
        "counter",
        "Attempts at messages to webhooks: `delivered`, `tried_again`, or `failed` for good.",
        ("result",),
    ),
    MetricDescription("pouf_webhooks_pending", "gauge", "Messages to webhooks that are not delivered yet."),
    MetricDescription(
        "pouf_owner_job_seconds",
        "counter",
        "Seconds that an owner's ended jobs ran; of the `POUF_METRICS_OWNERS` owners with most.",
        ("owner",),
    ),
    MetricDescription(
        "pouf_owner_stored_bytes",
        "gauge",
        "Bytes of an owner's uploads, items, models and predictions, up to five minutes old; of the "
        "`POUF_METRICS_OWNERS` owners with most, and of all others as owner `(others)`.",
        ("owner",),
    ),
    MetricDescription(
        "pouf_owner_unfinished_jobs",
        "gauge",
        "An owner's jobs and batch predictions that have not ended; of the owners as above.",
        ("owner",),
    ),
    MetricDescription("pouf_predict_queue_items", "gauge", "Items waiting for an encoder."),
    MetricDescription("pouf_predict_batches", "counter", "Batches that went through an encoder."),
    MetricDescription("pouf_predict_items", "counter", "Items that went through an encoder."),
    MetricDescription("pouf_batcher_restarts", "counter", "Times that the batcher had to start again."),
    MetricDescription("pouf_model_cache", "gauge", "Loaded models, their bytes, and those in use.", ("kind",)),
    MetricDescription(
        "pouf_base_model_cache", "gauge", "Loaded base models, and the bytes of their weights.", ("kind",)
    ),
    MetricDescription(
        "pouf_worker_last_seen",
        "gauge",
        "When each worker and reaper was last seen, in seconds since 1970, by its queue or `reaper` and its name.",
        ("kind", "worker"),
    ),
    MetricDescription(
        "pouf_reaper_lag_seconds", "gauge", "Seconds since a reaper last began a round; alert above a minute."
    ),
    MetricDescription("pouf_storage_up", "gauge", "1 while the object storage answers, else 0."),
    MetricDescription("pouf_disk_bytes", "gauge", "Of the scarcest disk: free, and the floor to stay free.", ("kind",)),
)
BY_NAME = {description.name: description for description in DESCRIPTIONS}


def metrics_table() -> str:
    """The rows of a markdown table: metric, type, labels, meaning."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for each in DESCRIPTIONS:
        labels = ", ".join(f"`{label}`" for label in each.labels) or "–"
        rows.append(f"| `{each.shown_name}` | {each.type} | {labels} | {each.meaning} |")
    return "\n".join(rows) + "\n"
