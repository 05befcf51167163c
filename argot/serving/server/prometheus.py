"""What the server counts, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from argot.serving.server.release_watcher import ReleaseWatcher

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)


class ServerMetrics:
    """The counters of one server, in its own registry: two servers in one process don't mix."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter("argot_requests", "Requests.", ["route", "status"], registry=own)
        self.seconds = Histogram(
            "argot_request_seconds",
            "From the request to the end of its reply.",
            ["route"],
            buckets=SECONDS,
            registry=own,
        )
        self.at_work = Gauge(
            "argot_requests_at_work", "Requests that have no reply yet.", registry=own
        )
        self.without_model = Counter(
            "argot_searches_without_model",
            "Searches that BM25 answered because the model could not.",
            registry=own,
        )
        self.interleaved = Counter(
            "argot_searches_interleaved",
            "Searches with the candidate's passages mixed in, and those it was left out of.",
            ["candidate"],
            registry=own,
        )
        self.batch = Histogram(
            "argot_batch", "Texts in one batch.", buckets=BATCH_SIZES, registry=own
        )
        self.feedback = Counter("argot_feedback", "Feedback kept on disk.", ["kind"], registry=own)
        ProcessCollector(registry=own)

    def watch(self, watcher: ReleaseWatcher) -> None:
        """Add what the watcher knows of its releases."""
        self.registry.register(_ReleaseCollector(watcher))

    def page(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _ReleaseCollector(Collector):
    """Reads the watcher's state each time that Prometheus asks."""

    def __init__(self, watcher: ReleaseWatcher) -> None:
        self.watcher = watcher

    def collect(self) -> Iterator[Metric]:
        current = self.watcher.current
        info = GaugeMetricFamily(
            "argot_release", "The release that is served.", labels=["release", "model"]
        )
        info.add_metric([current.id, current.manifest.verdict.model], 1)
        yield info
        if not current.manifest.groups:  # those who may read this may not see all passages
            yield GaugeMetricFamily(
                "argot_passages", "Passages of that release.", value=current.manifest.passages
            )
        yield CounterMetricFamily(
            "argot_releases_taken_up",
            "New releases that replaced an older one.",
            value=self.watcher.taken_up,
        )
        yield CounterMetricFamily(
            "argot_releases_refused",
            "New releases that were broken.",
            value=self.watcher.refused,
        )
