"""Prometheus metrics of the API process: requests are counted here, the other numbers come from collectors."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from app.http.metric_descriptions import BY_NAME

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class HttpMetrics:
    """Counts and durations of HTTP requests, by method, route and status, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests, seconds = BY_NAME["pouf_http_requests"], BY_NAME["pouf_http_request_seconds"]
        self._requests = Counter(requests.name, requests.meaning, requests.labels, registry=self.registry)
        self._seconds = Histogram(
            seconds.name, seconds.meaning, seconds.labels, buckets=LATENCY_BUCKETS, registry=self.registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `status` 0 means that the client left before an answer began.

        Methods that nobody knows count as one: every label is kept for good, and clients make them up.
        """
        method = method if method in METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics of the registry in Prometheus's text format."""
        return generate_latest(self.registry)
